//! Memories, as Verilog in strings.
//!
//! | cell | why |
//! |---|---|
//! | [`Ram`], [`LaneRam`] | any depth, a read enable, lanes written by themselves, the kind of memory asked for |
//! | [`Rom`] | a table of the kernels, read like a RAM |

use rust_hdl_core::prelude::*;

use super::leaf::verilog_only;

/// Memories of up to so many words are made of look-up tables: queues are wide and shallow, and would
/// take a third of an ECP5-85F's block RAMs for an eighth of their bits.
const LUT_RAM_WORDS: usize = 128;

/// Likewise for memories of many lanes, which are worth a block RAM sooner.
const LUT_LANE_RAM_WORDS: usize = 64;

/// Bits of a block RAM that is as deep as it can be: 8192 words of two bits, 4096 of four, and so on.
const BLOCK_RAM_BITS: usize = 16384;
/// Memories of more words are cut into slices of one block RAM each.
const UNCUT_WORDS: usize = 2048;
/// So many slices share the registers of a memory that has some at its ports.
const SLICES_A_REPLICA: usize = 8;

/// Tables of up to so many bits, of which every lane has one, likewise.
const LUT_ROM_BITS: usize = 4096;

/// What a port reads of a word in the beat in which the other port writes it.
enum Collision {
    /// What it held before.
    Old,
    /// Unknown, and something else than was written or held in simulations.
    Unknown,
}

/// So many words of `width` bits of the given kind of memory. The names of its ports end in `ports`.
struct Array<'a> {
    name: &'a str,
    style: &'a str,
    words: usize,
    width: usize,
    ports: &'a str,
}

impl Array<'_> {
    /// It, with a read port to `to` and a write port that does `write`.
    fn verilog(&self, to: &str, collision: &Collision, write: &str) -> String {
        let Self { name, style, words, width, ports } = self;
        let read = match collision {
            Collision::Old => format!("if (read_enable{ports}) {to} <= {name}[read_address{ports}];"),
            Collision::Unknown => format!(
                "if (read_enable{ports}) begin
        {to} <= {name}[read_address{ports}];
        if (write_enable{ports} != 0 && write_address{ports} == read_address{ports}) {to} <= {width}'bx;
    end"
            ),
        };
        format!(
            "(* ram_style = \"{style}\" *) reg [{high}:0] {name} [0:{last}];
always @(posedge clock) begin
    {read}
    {write}
end
",
            high = width - 1,
            last = words - 1,
        )
    }
}

/// One read and one write port of W bits. Data arrives the beat after
/// `read_enable` and stays until the next read.
///
/// What is read of a word in the beat in which it is written is unknown: block RAMs differ, and to
/// promise it takes a bypass of the whole width. See [`Ram::reading_old`], and [`Ram::registered`] for
/// memories of many block RAMs.
#[derive(LogicBlock)]
pub struct Ram<const W: usize, const A: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Reads a word.
    pub read_enable: Signal<In, Bit>,
    /// Its address.
    pub read_address: Signal<In, Bits<A>>,
    /// The word, a beat later.
    pub read_data: Signal<Out, Bits<W>>,
    /// Writes a word.
    pub write_enable: Signal<In, Bit>,
    /// Its address.
    pub write_address: Signal<In, Bits<A>>,
    /// The word.
    pub write_data: Signal<In, Bits<W>>,
    _words: usize,
    _collision: Collision,
    _registered: bool,
}

impl<const W: usize, const A: usize> Ram<W, A> {
    /// A memory of `words` words, at most 2^A.
    pub fn new(words: usize) -> Self {
        assert!((1..=1 << A).contains(&words), "{words} words behind {A} address bits");
        Self {
            clock: Default::default(),
            read_enable: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            write_enable: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            _words: words,
            _collision: Collision::Unknown,
            _registered: false,
        }
    }

    /// Likewise, with registers before its ports, one more beat for reads and writes. Every few block RAMs
    /// have such registers of their own: wires to all of them would be the longest there are.
    pub fn registered(words: usize) -> Self {
        Self { _registered: true, ..Self::new(words) }
    }

    /// 2^A words; one that is read in the beat in which it is written is read as it was before.
    pub fn reading_old() -> Self {
        Self { _collision: Collision::Old, ..Self::default() }
    }
}

impl<const W: usize, const A: usize> Ram<W, A> {
    /// The registers of enables and addresses for some slices, by number.
    fn replica(number: usize) -> String {
        let mut registers = String::new();
        let mut next = String::new();
        for (port, range) in
            [("read_enable", 1), ("read_address", A), ("write_enable", 1), ("write_address", A)]
        {
            registers += &format!("reg [{}:0] {port}_{number};\n", range - 1);
            next += &format!("    {port}_{number} <= {port};\n");
        }
        format!("{registers}(* keep *) always @(posedge clock) begin\n{next}end\n")
    }
}

impl<const W: usize, const A: usize> Default for Ram<W, A> {
    fn default() -> Self {
        Self::new(1 << A)
    }
}

impl<const W: usize, const A: usize> Logic for Ram<W, A> {
    verilog_only!();

    fn connect(&mut self) {
        self.read_data.connect();
    }

    fn hdl(&self) -> Verilog {
        let style = if self._words <= LUT_RAM_WORDS { "distributed" } else { "block" };
        // A bit has one block RAM, not one in each of several banks, and no multiplexer behind them:
        // their wires would meet in the middle of the FPGA.
        let bits = match self._words <= UNCUT_WORDS {
            true => W,
            false => (BLOCK_RAM_BITS / self._words.next_power_of_two()).clamp(1, W),
        };
        let mut code = String::new();
        if self._registered {
            code += &format!(
                "reg [{}:0] write_data_held;\nalways @(posedge clock) write_data_held <= write_data;\n",
                W - 1
            );
        }
        for (index, low) in (0..W).step_by(bits).enumerate() {
            let high = W.min(low + bits) - 1;
            let replica = index / SLICES_A_REPLICA;
            if self._registered && index.is_multiple_of(SLICES_A_REPLICA) {
                code += &Self::replica(replica);
            }
            let (ports, data) = match self._registered {
                true => (format!("_{replica}"), "write_data_held"),
                false => (String::new(), "write_data"),
            };
            let name = format!("words_{low}");
            let write =
                format!("if (write_enable{ports}) {name}[write_address{ports}] <= {data}[{high}:{low}];");
            code += &Array { name: &name, style, words: self._words, width: high + 1 - low, ports: &ports }
                .verilog(&format!("read_data[{high}:{low}]"), &self._collision, &write);
        }
        Verilog::Custom(code)
    }
}

/// A [`Ram`] of 2^A words of N lanes, W bits in all, that writes any of the lanes of a word: so that
/// narrow memories side by side fill block RAMs together.
#[derive(LogicBlock)]
pub struct LaneRam<const N: usize, const W: usize, const A: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Reads a word.
    pub read_enable: Signal<In, Bit>,
    /// Its address.
    pub read_address: Signal<In, Bits<A>>,
    /// The word, a beat later.
    pub read_data: Signal<Out, Bits<W>>,
    /// Lanes that are written.
    pub write_enable: Signal<In, Bits<N>>,
    /// Address of their word.
    pub write_address: Signal<In, Bits<A>>,
    /// The word.
    pub write_data: Signal<In, Bits<W>>,
}

impl<const N: usize, const W: usize, const A: usize> Default for LaneRam<N, W, A> {
    fn default() -> Self {
        assert!(W.is_multiple_of(N), "{N} lanes of {W} bits");
        Self {
            clock: Default::default(),
            read_enable: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            write_enable: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
        }
    }
}

impl<const N: usize, const W: usize, const A: usize> Logic for LaneRam<N, W, A> {
    verilog_only!();

    fn connect(&mut self) {
        self.read_data.connect();
    }

    fn hdl(&self) -> Verilog {
        let lane = |lane: usize| {
            let (high, low) = ((lane + 1) * (W / N) - 1, lane * (W / N));
            format!(
                "if (write_enable[{lane}]) words[write_address][{high}:{low}] <= write_data[{high}:{low}];"
            )
        };
        let lanes: Vec<String> = (0..N).map(lane).collect();
        let style = if 1 << A <= LUT_LANE_RAM_WORDS { "distributed" } else { "block" };
        let array = Array { name: "words", style, words: 1 << A, width: W, ports: "" };
        Verilog::Custom(array.verilog("read_data", &Collision::Unknown, &lanes.join("\n    ")))
    }
}

/// A table of 2^A entries of W bits, read as a [`Ram`] is.
#[derive(LogicBlock)]
pub struct Rom<const W: usize, const A: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Reads an entry.
    pub enable: Signal<In, Bit>,
    /// Its index.
    pub address: Signal<In, Bits<A>>,
    /// The entry, a beat later.
    pub data: Signal<Out, Bits<W>>,
    _entries: Vec<u64>,
}

impl<const W: usize, const A: usize> Rom<W, A> {
    /// A table; entries that are not given are zero.
    pub fn new(entries: impl IntoIterator<Item = u64>) -> Self {
        let mut entries: Vec<u64> = entries.into_iter().collect();
        assert!(entries.len() <= 1 << A, "{} entries behind {A} address bits", entries.len());
        assert!(entries.iter().all(|&entry| W >= 64 || entry >> W == 0), "entries wider than {W} bits");
        entries.resize(1 << A, 0);
        Self {
            clock: Default::default(),
            enable: Default::default(),
            address: Default::default(),
            data: Default::default(),
            _entries: entries,
        }
    }
}

impl<const W: usize, const A: usize> Default for Rom<W, A> {
    fn default() -> Self {
        Self::new([])
    }
}

impl<const W: usize, const A: usize> Logic for Rom<W, A> {
    verilog_only!();

    fn connect(&mut self) {
        self.data.connect();
    }

    fn hdl(&self) -> Verilog {
        let entries = self._entries.iter().enumerate();
        let entries: String =
            entries.map(|(index, entry)| format!("    table_[{index}] = {W}'h{entry:x};\n")).collect();
        let style = if W << A <= LUT_ROM_BITS { "logic" } else { "block" };
        Verilog::Custom(format!(
            "(* rom_style = \"{style}\" *) reg [{width}:0] table_ [0:{last}];
initial begin
{entries}end
always @(posedge clock) if (enable) data <= table_[address];",
            width = W - 1,
            last = (1 << A) - 1,
        ))
    }
}
