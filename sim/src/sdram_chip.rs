//! A chip of SDR SDRAM: 32 MiB, 16 bits, 4 banks of 8192 rows of 512 columns, with times that
//! AS4C16M16SA-7, IS42S16160G-7 and W9825G6KH-6 keep. Bursts of one column, CAS latency 2.
//!
//! One call a cycle. A cycle begins with the edge at which the board's output registers change and ends
//! with the edge at which its input registers take `dq`; the chip's clock rises in between, three quarters
//! into it. What a read command of cycle c asked for is on `dq` at the end of cycle c + 2.
//!
//! Nothing else of the project is used here: tests of the controller include this file.

use std::fmt;

use thiserror::Error;

/// Bytes of the chip.
pub const SDRAM_BYTES: usize = 32 << 20;
const COLUMNS: usize = 512;
const BANKS: usize = 4;

/// Rows of a bank: so many refreshes are due in [`REFRESH_ALL_NS`].
const ROWS: u64 = 8192;
const REFRESH_ALL_NS: u64 = 64_000_000;
/// Refreshes that may be owed. The data sheet names the sum alone; this leaves room for a reset.
const OWED_REFRESHES: u64 = 32;
/// Refreshes before the first access.
const FIRST_REFRESHES: u32 = 2;
/// Cycles behind a read in which the chip may drive `dq`, in parts of the first and last.
const READ_DRIVES: std::ops::RangeInclusive<u64> = 1..=3;

/// Mode register: bursts of one column, CAS latency 2.
const MODE: u16 = 2 << 4;
/// Bit of the mode register that has no effect with bursts of one column: single writes.
const SINGLE_WRITES: u16 = 1 << 9;
/// A10: precharges all banks; with a column, precharges behind it.
const A10: u16 = 1 << 10;

/// A time between two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdramTime {
    /// Activate to read or write.
    Rcd,
    /// Precharge to activate, refresh or mode register.
    Rp,
    /// Activate to precharge.
    Ras,
    /// Activate to activate of one bank.
    Rc,
    /// Activate to activate of two banks.
    Rrd,
    /// Refresh to the next command.
    Rfc,
    /// Write to precharge.
    Wr,
    /// Mode register to the next command.
    Mrd,
}

impl SdramTime {
    fn cycles(self, clock_mhz: u32) -> u64 {
        let ns = |ns: u64| (ns * u64::from(clock_mhz)).div_ceil(1000);
        match self {
            Self::Rcd | Self::Rp => ns(21),
            Self::Ras => ns(45),
            Self::Rc => ns(65),
            Self::Rrd => ns(15),
            Self::Rfc => ns(70),
            Self::Wr | Self::Mrd => 2,
        }
    }
}

/// A command, apart from none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdramCommand {
    /// Opens a row.
    Activate,
    /// Reads a column.
    Read,
    /// Writes a column.
    Write,
    /// Closes one or all rows.
    Precharge,
    /// Refreshes a row of each bank.
    Refresh,
    /// Sets the mode register.
    SetMode,
    /// Ends a burst, which this model does not do.
    EndBurst,
}

impl fmt::Display for SdramCommand {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the board drives in one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the chip's pins, by their names")]
pub struct SdramPins {
    pub cke: bool,
    pub cs_n: bool,
    pub ras_n: bool,
    pub cas_n: bool,
    pub we_n: bool,
    pub ba: u8,
    pub a: u16,
    pub dqm: u8,
    pub dq: u16,
    /// The board drives `dq`.
    pub dq_enable: bool,
}

impl SdramPins {
    /// No command.
    pub const IDLE: Self = Self {
        cke: true,
        cs_n: false,
        ras_n: true,
        cas_n: true,
        we_n: true,
        ba: 0,
        a: 0,
        dqm: 0,
        dq: 0,
        dq_enable: false,
    };

    fn command(&self) -> Option<SdramCommand> {
        match (self.cs_n, self.ras_n, self.cas_n, self.we_n) {
            (true, ..) | (_, true, true, true) => None,
            (_, false, true, true) => Some(SdramCommand::Activate),
            (_, true, false, true) => Some(SdramCommand::Read),
            (_, true, false, false) => Some(SdramCommand::Write),
            (_, false, true, false) => Some(SdramCommand::Precharge),
            (_, false, false, true) => Some(SdramCommand::Refresh),
            (_, false, false, false) => Some(SdramCommand::SetMode),
            (_, true, true, false) => Some(SdramCommand::EndBurst),
        }
    }
}

/// A rule that the board broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "said by the messages")]
pub enum SdramRule {
    #[error("{command} during the power-up wait, which ends with cycle {until}")]
    PowerUp { command: SdramCommand, until: u64 },
    #[error("{command} before all banks were precharged")]
    NotPrecharged { command: SdramCommand },
    #[error("{command} before the mode register was set and {FIRST_REFRESHES} refreshes given")]
    NotSetUp { command: SdramCommand },
    #[error("mode register {value:#05x}; the model knows {MODE:#05x}: bursts of 1, CAS latency 2")]
    Mode { value: u16 },
    #[error("{what} is not modelled")]
    NotModelled { what: &'static str },
    #[error("Activate of bank {bank}, whose row {row} is open")]
    BankOpen { bank: usize, row: u16 },
    #[error("{command} in bank {bank}, which has no open row")]
    BankClosed { command: SdramCommand, bank: usize },
    #[error("{command} while bank {bank} has an open row")]
    RowOpen { command: SdramCommand, bank: usize },
    #[error("{command} breaks t{time:?}: allowed from cycle {earliest} on")]
    TooEarly { command: SdramCommand, time: SdramTime, earliest: u64 },
    #[error("more than {OWED_REFRESHES} refreshes are owed")]
    RefreshLate,
    #[error("the board drives dq while the chip may, for the read of cycle {read}")]
    BusConflict { read: u64 },
    #[error("Write without data: the board does not drive dq")]
    NoData,
}

/// The first rule that was broken in a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("SDRAM, cycle {cycle}: {rule}")]
pub struct SdramFault {
    /// Counted from power-up.
    pub cycle: u64,
    /// The rule.
    #[source]
    pub rule: SdramRule,
}

/// A bank and the cycles of the last commands to it.
#[derive(Clone, Copy, Default)]
struct Bank {
    row: Option<u16>,
    activated: Option<u64>,
    precharged: Option<u64>,
    written: Option<u64>,
}

/// The chip.
pub struct SdramChip {
    clock_mhz: u32,
    cycle: u64,
    power_up: u64,
    contents: Vec<u8>,
    banks: [Bank; BANKS],
    all_precharged: bool,
    refreshes: u64,
    mode_is_set: bool,
    refreshed: Option<u64>,
    mode_set: Option<u64>,
    /// Refreshes that are owed, in parts: [`ROWS`] a cycle, `refresh_parts` a refresh.
    owed: u64,
    refresh_parts: u64,
    longest_refresh_gap: u64,
    read: Option<u64>,
    /// What is on `dq` at the end of the next cycle, and of the one behind.
    coming: [Option<u16>; 2],
}

impl SdramChip {
    /// A chip that was just powered up, full of garbage (the same each time).
    pub fn new(clock_mhz: u32, power_up_us: u32) -> Self {
        let mut contents = vec![0; SDRAM_BYTES];
        for (index, word) in contents.chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&noise(index as u64).to_le_bytes());
        }
        Self {
            clock_mhz,
            cycle: 0,
            power_up: u64::from(clock_mhz) * u64::from(power_up_us),
            contents,
            banks: [Bank::default(); BANKS],
            all_precharged: false,
            refreshes: 0,
            mode_is_set: false,
            refreshed: None,
            mode_set: None,
            owed: 0,
            refresh_parts: REFRESH_ALL_NS / 1000 * u64::from(clock_mhz),
            longest_refresh_gap: 0,
            read: None,
            coming: [None; 2],
        }
    }

    /// Bytes in the order row, bank, column, low byte first.
    pub fn contents(&self) -> &[u8] {
        &self.contents
    }

    /// The same, to be changed.
    pub fn contents_mut(&mut self) -> &mut [u8] {
        &mut self.contents
    }

    /// Refreshes since power-up.
    pub fn refreshes(&self) -> u64 {
        self.refreshes
    }

    /// Most cycles from one refresh to the next.
    pub fn longest_refresh_gap(&self) -> u64 {
        self.longest_refresh_gap
    }

    /// One cycle with those pins. Returns what the chip drives on `dq` at its end, 0 if nothing.
    ///
    /// # Errors
    /// The rule that was broken; the command has no effect then.
    pub fn clock(&mut self, pins: &SdramPins) -> Result<u16, SdramFault> {
        let driven = self.coming[0];
        self.coming = [self.coming[1], None];
        let result = self.check_pins(pins).and_then(|()| self.execute(pins));
        let cycle = self.cycle;
        self.cycle += 1;
        result.map_err(|rule| SdramFault { cycle, rule })?;
        Ok(driven.unwrap_or(0))
    }

    fn is_set_up(&self) -> bool {
        self.mode_is_set && self.refreshes >= u64::from(FIRST_REFRESHES)
    }

    fn check_pins(&mut self, pins: &SdramPins) -> Result<(), SdramRule> {
        if !pins.cke {
            return Err(SdramRule::NotModelled { what: "a stopped clock (CKE low)" });
        }
        if let Some(read) = self.read.filter(|read| READ_DRIVES.contains(&(self.cycle - read)))
            && pins.dq_enable
        {
            return Err(SdramRule::BusConflict { read });
        }
        if self.is_set_up() {
            self.owed += ROWS;
            if self.owed > OWED_REFRESHES * self.refresh_parts {
                return Err(SdramRule::RefreshLate);
            }
        }
        Ok(())
    }

    fn execute(&mut self, pins: &SdramPins) -> Result<(), SdramRule> {
        let Some(command) = pins.command() else { return Ok(()) };
        if self.cycle < self.power_up {
            return Err(SdramRule::PowerUp { command, until: self.power_up - 1 });
        }
        self.apart(command, SdramTime::Rfc, self.refreshed)?;
        self.apart(command, SdramTime::Mrd, self.mode_set)?;
        match command {
            SdramCommand::Activate => self.activate(pins),
            SdramCommand::Read | SdramCommand::Write => self.column(command, pins),
            SdramCommand::Precharge => self.precharge(pins),
            SdramCommand::Refresh | SdramCommand::SetMode => self.between_rows(command, pins),
            SdramCommand::EndBurst => Err(SdramRule::NotModelled { what: "the end of a burst" }),
        }
    }

    /// Is it long enough since a command?
    fn apart(&self, command: SdramCommand, time: SdramTime, since: Option<u64>) -> Result<(), SdramRule> {
        match since.map(|since| since + time.cycles(self.clock_mhz)) {
            Some(earliest) if self.cycle < earliest => Err(SdramRule::TooEarly { command, time, earliest }),
            _ => Ok(()),
        }
    }

    fn activate(&mut self, pins: &SdramPins) -> Result<(), SdramRule> {
        let (command, index) = (SdramCommand::Activate, usize::from(pins.ba));
        if !self.is_set_up() {
            return Err(SdramRule::NotSetUp { command });
        }
        let bank = self.banks[index];
        if let Some(row) = bank.row {
            return Err(SdramRule::BankOpen { bank: index, row });
        }
        self.apart(command, SdramTime::Rc, bank.activated)?;
        self.apart(command, SdramTime::Rp, bank.precharged)?;
        for other in self.banks {
            self.apart(command, SdramTime::Rrd, other.activated)?;
        }
        self.banks[index] = Bank { row: Some(pins.a), activated: Some(self.cycle), ..bank };
        Ok(())
    }

    fn column(&mut self, command: SdramCommand, pins: &SdramPins) -> Result<(), SdramRule> {
        let index = usize::from(pins.ba);
        let bank = self.banks[index];
        let Some(row) = bank.row else { return Err(SdramRule::BankClosed { command, bank: index }) };
        self.apart(command, SdramTime::Rcd, bank.activated)?;
        if pins.a & A10 != 0 {
            return Err(SdramRule::NotModelled { what: "precharge behind a column (A10)" });
        }
        let column = usize::from(pins.a) % COLUMNS;
        let address = 2 * ((usize::from(row) * BANKS + index) * COLUMNS + column);
        let masked = |byte: usize| pins.dqm >> byte & 1 == 1;
        if command == SdramCommand::Read {
            // A masked byte is not driven: whatever was there is read.
            let floating = noise(self.cycle).to_le_bytes();
            let byte = |byte| if masked(byte) { floating[byte] } else { self.contents[address + byte] };
            self.coming[1] = Some(u16::from_le_bytes([byte(0), byte(1)]));
            self.read = Some(self.cycle);
            return Ok(());
        }
        if !pins.dq_enable {
            return Err(SdramRule::NoData);
        }
        for byte in (0..2).filter(|&byte| !masked(byte)) {
            self.contents[address + byte] = pins.dq.to_le_bytes()[byte];
        }
        self.banks[index].written = Some(self.cycle);
        Ok(())
    }

    fn precharge(&mut self, pins: &SdramPins) -> Result<(), SdramRule> {
        let (command, all) = (SdramCommand::Precharge, pins.a & A10 != 0);
        for index in (0..BANKS).filter(|&index| all || index == usize::from(pins.ba)) {
            let bank = self.banks[index];
            self.apart(command, SdramTime::Ras, bank.activated)?;
            self.apart(command, SdramTime::Wr, bank.written)?;
            self.banks[index] = Bank { row: None, precharged: Some(self.cycle), ..bank };
        }
        self.all_precharged |= all;
        Ok(())
    }

    /// Refresh and mode register need all banks closed.
    fn between_rows(&mut self, command: SdramCommand, pins: &SdramPins) -> Result<(), SdramRule> {
        if !self.all_precharged {
            return Err(SdramRule::NotPrecharged { command });
        }
        for (index, bank) in self.banks.iter().enumerate() {
            if bank.row.is_some() {
                return Err(SdramRule::RowOpen { command, bank: index });
            }
            self.apart(command, SdramTime::Rp, bank.precharged)?;
        }
        if command == SdramCommand::SetMode {
            if pins.a & !SINGLE_WRITES != MODE || pins.ba != 0 {
                return Err(SdramRule::Mode { value: u16::from(pins.ba) << 13 | pins.a });
            }
            self.mode_is_set = true;
            self.mode_set = Some(self.cycle);
            return Ok(());
        }
        if let Some(refreshed) = self.refreshed.filter(|_| self.is_set_up()) {
            self.longest_refresh_gap = self.longest_refresh_gap.max(self.cycle - refreshed);
        }
        self.refreshes += 1;
        self.refreshed = Some(self.cycle);
        self.owed = self.owed.saturating_sub(self.refresh_parts);
        Ok(())
    }
}

/// Reproducible garbage: the finaliser of SplitMix64.
fn noise(index: u64) -> u64 {
    let x = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A chip behind pin cells with a register in each direction, as boards have it.
pub struct SdramOnPins {
    /// The chip.
    pub chip: SdramChip,
    pins: SdramPins,
    dq: u16,
}

impl SdramOnPins {
    /// See [`SdramChip::new`].
    pub fn new(clock_mhz: u32, power_up_us: u32) -> Self {
        Self { chip: SdramChip::new(clock_mhz, power_up_us), pins: SdramPins::IDLE, dq: 0 }
    }

    /// One cycle of the board's clock: what it gives to the pin cells, and what they give it.
    ///
    /// # Errors
    /// A rule of the chip that the board broke.
    pub fn clock(&mut self, pins: &SdramPins) -> Result<u16, SdramFault> {
        let driven = self.chip.clock(&self.pins)?;
        self.pins = *pins;
        Ok(std::mem::replace(&mut self.dq, driven))
    }
}
