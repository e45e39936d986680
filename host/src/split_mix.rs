//! Random numbers that are the same on every machine and in every version.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
#[derive(Clone, Debug)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform with mean zero and the given standard deviation.
    pub fn uniform(&mut self, deviation: f32) -> f32 {
        (2.0 * self.unit() - 1.0) * deviation * 3f32.sqrt()
    }

    /// Normal with mean zero and standard deviation one (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - f64::from(self.unit()))).sqrt();
        radius * libm::cos(std::f64::consts::TAU * f64::from(self.unit()))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// Uniform in [0, 1), a multiple of 2^−24.
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spreads_have_the_deviation_they_state() {
        let mut random = SplitMix::new(1);
        for draw in [|random: &mut SplitMix| f64::from(random.uniform(1.0)), SplitMix::normal] {
            let values: Vec<f64> = (0..1 << 16).map(|_| draw(&mut random)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64;
            assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        }
    }
}
