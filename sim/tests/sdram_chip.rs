//! Each rule of the SDRAM model: kept to the cycle, and broken by one.

use edge_moe_sim::sdram_chip::{SDRAM_BYTES, SdramChip, SdramCommand, SdramPins, SdramRule, SdramTime};

const CLOCK_MHZ: u32 = 80;
const POWER_UP_US: u32 = 1;
const POWER_UP_CYCLES: u64 = 80;
/// A10.
const ALL: u16 = 1 << 10;
const MODE: u16 = 0x20;

/// Gives commands to a chip, and counts cycles as it does.
struct Board {
    chip: SdramChip,
    cycle: u64,
}

impl Board {
    fn powered_up() -> Self {
        let mut board = Self { chip: SdramChip::new(CLOCK_MHZ, POWER_UP_US), cycle: 0 };
        board.wait(POWER_UP_CYCLES);
        board
    }

    fn set_up() -> Self {
        let mut board = Self::powered_up();
        board.precharge(0, ALL).unwrap();
        for gap in [2, 6] {
            board.wait(gap - 1);
            board.refresh().unwrap();
        }
        board.wait(5);
        board.set_mode(MODE).unwrap();
        board.wait(1);
        board
    }

    fn clock(&mut self, pins: SdramPins) -> Result<u16, SdramRule> {
        let cycle = self.cycle;
        self.cycle += 1;
        self.chip.clock(&pins).map_err(|fault| {
            assert_eq!(fault.cycle, cycle);
            fault.rule
        })
    }

    fn wait(&mut self, cycles: u64) {
        for _ in 0..cycles {
            self.clock(SdramPins::IDLE).unwrap();
        }
    }

    fn activate(&mut self, ba: u8, row: u16) -> Result<u16, SdramRule> {
        self.clock(SdramPins { ras_n: false, ba, a: row, ..SdramPins::IDLE })
    }

    fn precharge(&mut self, ba: u8, a: u16) -> Result<u16, SdramRule> {
        self.clock(SdramPins { ras_n: false, we_n: false, ba, a, ..SdramPins::IDLE })
    }

    fn refresh(&mut self) -> Result<u16, SdramRule> {
        self.clock(SdramPins { ras_n: false, cas_n: false, ..SdramPins::IDLE })
    }

    fn set_mode(&mut self, a: u16) -> Result<u16, SdramRule> {
        self.clock(SdramPins { ras_n: false, cas_n: false, we_n: false, a, ..SdramPins::IDLE })
    }

    fn read(&mut self, ba: u8, a: u16) -> Result<u16, SdramRule> {
        self.clock(SdramPins { cas_n: false, ba, a, ..SdramPins::IDLE })
    }

    fn write(&mut self, ba: u8, a: u16, dq: u16, dqm: u8) -> Result<u16, SdramRule> {
        let pins =
            SdramPins { cas_n: false, we_n: false, ba, a, dq, dqm, dq_enable: true, ..SdramPins::IDLE };
        self.clock(pins)
    }

    /// An activate long ago in bank 0, row 0.
    fn open() -> Self {
        let mut board = Self::set_up();
        board.activate(0, 0).unwrap();
        board.wait(10);
        board
    }
}

/// A command that must come `cycles` after the last of `prepare` is refused one cycle before, and only then.
fn too_early(
    time: SdramTime,
    command: SdramCommand,
    cycles: u64,
    prepare: impl Fn(&mut Board),
    give: impl Fn(&mut Board) -> Result<u16, SdramRule>,
) {
    let after = |wait: u64| {
        let mut board = Board::set_up();
        prepare(&mut board);
        let earliest = board.cycle - 1 + cycles;
        board.wait(wait);
        (give(&mut board).map(|_| ()), earliest)
    };
    let (early, earliest) = after(cycles - 2);
    assert_eq!(early, Err(SdramRule::TooEarly { command, time, earliest }));
    assert_eq!(after(cycles - 1).0, Ok(()));
}

#[test]
fn data_is_read_two_cycles_later() {
    let mut board = Board::open();
    board.write(0, 7, 0x1234, 0).unwrap();
    board.write(0, 8, 0x5678, 0).unwrap();
    assert_eq!(board.read(0, 7), Ok(0));
    assert_eq!(board.read(0, 8), Ok(0));
    assert_eq!(board.clock(SdramPins::IDLE), Ok(0x1234));
    assert_eq!(board.clock(SdramPins::IDLE), Ok(0x5678));
    assert_eq!(board.clock(SdramPins::IDLE), Ok(0));
    assert_eq!(board.chip.contents()[14..18], [0x34, 0x12, 0x78, 0x56]);
}

#[test]
fn rows_banks_and_columns_have_their_places() {
    let mut board = Board::set_up();
    board.activate(2, 5).unwrap();
    board.wait(1);
    board.write(2, 511, 0xabcd, 0).unwrap();
    let address = 2 * ((5 * 4 + 2) * 512 + 511);
    assert_eq!(board.chip.contents()[address..address + 2], [0xcd, 0xab]);
    board.activate(3, 8191).unwrap();
    board.wait(1);
    board.write(3, 511, 0x1111, 0).unwrap();
    assert_eq!(board.chip.contents()[SDRAM_BYTES - 2..], [0x11, 0x11]);
}

#[test]
fn masked_bytes_are_neither_written_nor_read() {
    let mut board = Board::open();
    let before = board.chip.contents()[1];
    board.write(0, 0, 0xffff, 2).unwrap();
    assert_eq!(board.chip.contents()[..2], [0xff, before]);
    board.chip.contents_mut()[..2].copy_from_slice(&[0, 0]);
    board.clock(SdramPins { cas_n: false, dqm: 1, ..SdramPins::IDLE }).unwrap();
    board.wait(1);
    let read = board.clock(SdramPins::IDLE).unwrap();
    assert_eq!(read >> 8, 0);
    assert_ne!(read & 0xff, 0, "the floating byte of this cycle is not zero");
}

#[test]
fn memory_begins_as_garbage_that_is_the_same_each_time() {
    let [a, b] = [(), ()].map(|()| SdramChip::new(CLOCK_MHZ, POWER_UP_US));
    assert!(a.contents() == b.contents());
    assert!(a.contents()[..64].iter().any(|&byte| byte != a.contents()[0]));
    assert_eq!(a.contents().len(), SDRAM_BYTES);
}

#[test]
fn nothing_is_commanded_during_the_power_up_wait() {
    let mut board = Board { chip: SdramChip::new(CLOCK_MHZ, POWER_UP_US), cycle: 0 };
    board.wait(POWER_UP_CYCLES - 1);
    let rule = SdramRule::PowerUp { command: SdramCommand::Precharge, until: POWER_UP_CYCLES - 1 };
    assert_eq!(board.precharge(0, ALL), Err(rule));
    assert_eq!(board.precharge(0, ALL), Ok(0));
}

#[test]
fn set_up_has_its_order() {
    let mut board = Board::powered_up();
    let command = SdramCommand::Refresh;
    assert_eq!(board.refresh(), Err(SdramRule::NotPrecharged { command }));
    let command = SdramCommand::SetMode;
    assert_eq!(board.set_mode(MODE), Err(SdramRule::NotPrecharged { command }));
    // One bank is not all.
    board.precharge(1, 0).unwrap();
    assert_eq!(board.set_mode(MODE), Err(SdramRule::NotPrecharged { command }));
    board.precharge(0, ALL).unwrap();
    board.wait(1);
    let command = SdramCommand::Activate;
    assert_eq!(board.activate(0, 0), Err(SdramRule::NotSetUp { command }));
    board.set_mode(MODE).unwrap();
    board.wait(1);
    board.refresh().unwrap();
    board.wait(5);
    assert_eq!(board.activate(0, 0), Err(SdramRule::NotSetUp { command }), "one refresh is not enough");
    board.refresh().unwrap();
    board.wait(5);
    assert_eq!(board.activate(0, 0), Ok(0));
}

#[test]
fn the_mode_is_one_column_with_latency_two() {
    let mut board = Board::powered_up();
    board.precharge(0, ALL).unwrap();
    board.wait(1);
    assert_eq!(board.set_mode(0x30), Err(SdramRule::Mode { value: 0x30 }));
    assert_eq!(board.set_mode(0x23), Err(SdramRule::Mode { value: 0x23 }));
    assert_eq!(board.set_mode(0x220), Ok(0));
}

#[test]
fn rows_are_closed_before_others_are_opened() {
    let mut board = Board::set_up();
    board.activate(1, 9).unwrap();
    board.wait(10);
    assert_eq!(board.activate(1, 10), Err(SdramRule::BankOpen { bank: 1, row: 9 }));
    assert_eq!(board.activate(2, 10), Ok(0));
}

#[test]
fn columns_need_an_open_row() {
    let mut board = Board::open();
    let command = SdramCommand::Read;
    assert_eq!(board.read(1, 0), Err(SdramRule::BankClosed { command, bank: 1 }));
    board.precharge(0, 0).unwrap();
    let command = SdramCommand::Write;
    assert_eq!(board.write(0, 0, 0, 0), Err(SdramRule::BankClosed { command, bank: 0 }));
}

#[test]
fn refresh_and_mode_register_need_closed_rows() {
    let mut board = Board::open();
    let command = SdramCommand::Refresh;
    assert_eq!(board.refresh(), Err(SdramRule::RowOpen { command, bank: 0 }));
    let command = SdramCommand::SetMode;
    assert_eq!(board.set_mode(MODE), Err(SdramRule::RowOpen { command, bank: 0 }));
}

#[test]
fn columns_wait_for_their_row() {
    let activate = |board: &mut Board| {
        board.activate(0, 0).unwrap();
    };
    too_early(SdramTime::Rcd, SdramCommand::Read, 2, activate, |board| board.read(0, 0));
    too_early(SdramTime::Rcd, SdramCommand::Write, 2, activate, |board| board.write(0, 0, 0, 0));
}

#[test]
fn precharge_takes_its_time() {
    let precharge = |board: &mut Board| {
        board.precharge(0, ALL).unwrap();
    };
    too_early(SdramTime::Rp, SdramCommand::Activate, 2, precharge, |board| board.activate(0, 0));
    too_early(SdramTime::Rp, SdramCommand::Refresh, 2, precharge, Board::refresh);
    too_early(SdramTime::Rp, SdramCommand::SetMode, 2, precharge, |board| board.set_mode(MODE));
}

#[test]
fn rows_stay_open_long_enough() {
    let activate = |board: &mut Board| {
        board.activate(0, 0).unwrap();
    };
    too_early(SdramTime::Ras, SdramCommand::Precharge, 4, activate, |board| board.precharge(0, ALL));
}

#[test]
fn a_row_cycle_takes_its_time() {
    // Its parts take as long together, so that a second rule is broken too: this one is named.
    let mut board = Board::set_up();
    let earliest = board.cycle + 6;
    board.activate(0, 0).unwrap();
    board.wait(3);
    board.precharge(0, ALL).unwrap();
    let (command, time) = (SdramCommand::Activate, SdramTime::Rc);
    assert_eq!(board.activate(0, 0), Err(SdramRule::TooEarly { command, time, earliest }));
    assert_eq!(board.activate(0, 0), Ok(0));
}

#[test]
fn banks_are_activated_one_after_another() {
    let activate = |board: &mut Board| {
        board.activate(0, 0).unwrap();
    };
    too_early(SdramTime::Rrd, SdramCommand::Activate, 2, activate, |board| board.activate(1, 0));
}

#[test]
fn refreshes_and_the_mode_register_take_their_time() {
    let refresh = |board: &mut Board| {
        board.refresh().unwrap();
    };
    too_early(SdramTime::Rfc, SdramCommand::Activate, 6, refresh, |board| board.activate(0, 0));
    too_early(SdramTime::Rfc, SdramCommand::Refresh, 6, refresh, Board::refresh);
    let set_mode = |board: &mut Board| {
        board.set_mode(MODE).unwrap();
    };
    too_early(SdramTime::Mrd, SdramCommand::Activate, 2, set_mode, |board| board.activate(0, 0));
}

#[test]
fn what_was_written_is_left_time_to_settle() {
    let write = |board: &mut Board| {
        board.activate(0, 0).unwrap();
        board.wait(5);
        board.write(0, 0, 0, 0).unwrap();
    };
    too_early(SdramTime::Wr, SdramCommand::Precharge, 2, write, |board| board.precharge(0, ALL));
}

#[test]
fn only_one_side_drives_data() {
    for wait in 0..4 {
        let mut board = Board::open();
        board.read(0, 0).unwrap();
        let read = board.cycle - 1;
        board.wait(wait);
        let expected = if wait < 3 { Err(SdramRule::BusConflict { read }) } else { Ok(0) };
        assert_eq!(board.write(0, 0, 0, 0), expected, "{wait} cycles in between");
    }
    let mut board = Board::open();
    let pins = SdramPins { cas_n: false, we_n: false, ..SdramPins::IDLE };
    assert_eq!(board.clock(pins), Err(SdramRule::NoData));
}

#[test]
fn refreshes_may_be_owed_but_not_for_ever() {
    // 64 ms / 8192 at 80 MHz are 625 cycles.
    let mut board = Board::set_up();
    for _ in 0..100 {
        board.wait(624);
        board.refresh().unwrap();
    }
    assert_eq!(board.chip.refreshes(), 102);
    assert_eq!(board.chip.longest_refresh_gap(), 625 + 7);
    let late = (0..100 * 625).find(|_| board.clock(SdramPins::IDLE).is_err());
    assert!(late.is_some_and(|cycle| (31 * 625..=32 * 625).contains(&cycle)), "{late:?}");
}

#[test]
fn what_is_not_modelled_is_refused() {
    let refused = |pins: SdramPins| {
        let refusal = Board::open().clock(pins).unwrap_err();
        assert!(matches!(refusal, SdramRule::NotModelled { .. }), "{refusal}");
    };
    refused(SdramPins { cke: false, ..SdramPins::IDLE });
    refused(SdramPins { we_n: false, ..SdramPins::IDLE });
    refused(SdramPins { cas_n: false, a: ALL, ..SdramPins::IDLE });
}

#[test]
fn a_fault_says_cycle_and_rule() {
    let mut board = Board::set_up();
    let cycle = board.cycle;
    let fault = board.chip.clock(&SdramPins { cas_n: false, ba: 3, ..SdramPins::IDLE }).unwrap_err();
    let expected = format!("SDRAM, cycle {cycle}: Read in bank 3, which has no open row");
    assert_eq!(fault.to_string(), expected);
}
