//! What quantising did to a tensor: range, scale, saturations, noise.

use serde::Serialize;

/// A quantised tensor compared with the float tensor it stands for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorReport {
    /// Name, such as `semseg.block3.query`.
    pub name: String,
    /// Bits of an integer.
    pub bits: u32,
    /// Greatest magnitude of the float tensor.
    pub greatest: f64,
    /// Least value of one integer step among channels.
    pub finest_scale: f64,
    /// Greatest value of one integer step among channels.
    pub coarsest_scale: f64,
    /// Number of values.
    pub values: u64,
    /// Float values that lie outside what the integers reach.
    pub saturated: u64,
    /// 10·log10(Σ float² / Σ (float − dequantised)²); none if either sum is zero.
    pub sqnr_db: Option<f64>,
}

/// Sums up a [`TensorReport`] value by value.
#[derive(Clone, Debug)]
pub struct Tally {
    report: TensorReport,
    signal: f64,
    noise: f64,
}

impl Tally {
    /// A tally of a tensor with integers of `bits` bits.
    pub fn new(name: String, bits: u32) -> Self {
        let report = TensorReport {
            name,
            bits,
            greatest: 0.0,
            finest_scale: f64::INFINITY,
            coarsest_scale: 0.0,
            values: 0,
            saturated: 0,
            sqnr_db: None,
        };
        Self { report, signal: 0.0, noise: 0.0 }
    }

    /// Counts one value: as a float, as an integer, and what one step is worth.
    pub fn add(&mut self, float: f64, integer: i64, scale: f64) {
        let limit = ((1_i64 << (self.report.bits - 1)) - 1) as f64;
        let report = &mut self.report;
        report.greatest = report.greatest.max(float.abs());
        report.finest_scale = report.finest_scale.min(scale);
        report.coarsest_scale = report.coarsest_scale.max(scale);
        report.values += 1;
        report.saturated += u64::from((float / scale).round().abs() > limit);
        self.signal += float * float;
        self.noise += (float - integer as f64 * scale).powi(2);
    }

    /// The report of everything counted.
    pub fn report(self) -> TensorReport {
        let known = self.signal > 0.0 && self.noise > 0.0;
        TensorReport { sqnr_db: known.then(|| 10.0 * (self.signal / self.noise).log10()), ..self.report }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturations_and_noise_are_counted() {
        let mut tally = Tally::new("tensor".into(), 8);
        tally.add(1.0, 10, 0.1);
        tally.add(-20.0, -127, 0.1);
        let report = tally.report();
        assert_eq!((report.values, report.saturated, report.greatest), (2, 1, 20.0));
        let expected = 10.0 * (401.0_f64 / 7.3_f64.powi(2)).log10();
        approx::assert_relative_eq!(report.sqnr_db.unwrap(), expected, max_relative = 1e-9);
    }

    #[test]
    fn exact_tensors_have_no_finite_ratio() {
        let mut tally = Tally::new("tensor".into(), 16);
        tally.add(0.5, 2, 0.25);
        assert_eq!(tally.report().sqnr_db, None);
    }
}
