//! Times of the chip in beats of the clock.

/// The chip's times in ns: at least those of AS4C16M16SA-7, IS42S16160G-7 and W9825G6KH-6.
mod ns {
    /// Activate to read or write (tRCD).
    pub const ACTIVATE_TO_COLUMN: u32 = 21;
    /// Precharge to activate or refresh (tRP).
    pub const PRECHARGE: u32 = 21;
    /// Activate to precharge (tRAS); with a precharge it makes a row cycle (tRC, 65 ns).
    pub const ROW_OPEN: u32 = 45;
    /// Refresh to activate or refresh (tRFC).
    pub const REFRESH: u32 = 70;
    /// All rows are refreshed once in that time.
    pub const REFRESH_ALL: u64 = 64_000_000;
}

/// Rows of a bank; one refresh command refreshes a row of each.
const ROWS: u64 = 8192;
/// Mode register to the next command (tMRD), in beats.
const MODE: u32 = 2;
/// Last write to precharge (tWR), in beats.
const WRITE_RECOVERY: u32 = 2;
/// Read to write, in beats: the chip may drive until 5.4 ns (tHZ) after its edge of the second beat behind the
/// read, which is a quarter of a beat before the third begins.
const READ_TO_WRITE: u32 = 4;
/// Most beats from the moment a refresh is due to its command: a longest access that has begun, with
/// write recovery, precharge, and what the decisions take.
const REFRESH_WAIT: u64 = 64 + 16;

/// Beats from one command to the earliest other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From reset to the first command.
    pub power_up: u64,
    /// Activate to read or write.
    pub activate_to_column: u32,
    /// Activate to precharge.
    pub row_open: u32,
    /// Precharge to activate or refresh.
    pub precharge: u32,
    /// Refresh to activate or refresh.
    pub refresh: u32,
    /// Mode register to activate.
    pub mode: u32,
    /// Last write to precharge.
    pub write_recovery: u32,
    /// Last read to write.
    pub read_to_write: u32,
    /// From one refresh that falls due to the next.
    pub refresh_period: u64,
}

impl Timing {
    /// The times at a clock of 25 to 100 MHz: CAS latency 2 is allowed up to there. How far the chip's clock must
    /// lag: see [`super::CHIP_LEAD_PS`].
    pub fn new(clock_mhz: u32, power_up_us: u32) -> Self {
        assert!((25..=100).contains(&clock_mhz), "a clock of {clock_mhz} MHz is not within 25 to 100");
        assert!(power_up_us > 0, "the chip must wait after power-up");
        // A decision needs the beat behind an activate or precharge to see what became of the row.
        let beats = |ns: u32| (ns * clock_mhz).div_ceil(1000).max(2);
        Self {
            power_up: u64::from(power_up_us) * u64::from(clock_mhz),
            activate_to_column: beats(ns::ACTIVATE_TO_COLUMN),
            row_open: beats(ns::ROW_OPEN),
            precharge: beats(ns::PRECHARGE),
            refresh: beats(ns::REFRESH),
            mode: MODE,
            write_recovery: WRITE_RECOVERY,
            read_to_write: READ_TO_WRITE,
            refresh_period: ns::REFRESH_ALL / ROWS * u64::from(clock_mhz) / 1000 - REFRESH_WAIT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_80_mhz() {
        let timing = Timing::new(80, 200);
        let expected = Timing {
            power_up: 16_000,
            activate_to_column: 2,
            row_open: 4,
            precharge: 2,
            refresh: 6,
            mode: 2,
            write_recovery: 2,
            read_to_write: 4,
            refresh_period: 544,
        };
        assert_eq!(timing, expected);
    }

    #[test]
    fn every_clock_keeps_the_row_cycle_and_the_refresh_rate() {
        for clock_mhz in 25..=100 {
            let timing = Timing::new(clock_mhz, 1);
            let ns = |beats: u32| beats * 1000 / clock_mhz;
            assert!(ns(timing.row_open + timing.precharge) >= 65, "{clock_mhz} MHz: {timing:?}");
            let ns = (timing.refresh_period + REFRESH_WAIT) * 1000 / u64::from(clock_mhz);
            assert!(ns * ROWS <= ns::REFRESH_ALL, "{clock_mhz} MHz: {timing:?}");
        }
    }
}
