//! Leaf cells that rust-hdl cannot say: Verilog in strings.
//!
//! | cell | why |
//! |---|---|
//! | [`Register`] | rust-hdl's has an initial value, which hides a missing reset |
//! | [`Ram`], [`LaneRam`] | any depth, a read enable, lanes written by themselves, the kind of memory asked for |
//! | [`Rom`] | a table of the kernels, read like a RAM |
//! | [`Concat`], [`Split`], [`Spread`] | no concatenation and no indexed assignment in the kernel |
//! | [`Slice`] | no slice at a place that is computed when the unit is made |
//! | [`Widen`] | no shift by a const generic |
//! | [`ShiftLeft`], [`ArithmeticShiftRight`], [`ShiftRightInto`] | no `>>>`, no variable shift of signed values |
//! | [`Gather`] | no indexed assignment |
//! | [`ShiftOut`] | a shift by a const generic |
//! | [`Dot`] | a product per element and their sum, as one expression per stage |
//! | [`Moments`] | likewise, for sum and sum of squares |
//!
//! Simulation happens in Verilator only: none of them has a Rust model.

use rust_hdl_core::prelude::*;
use std::array::from_fn;

use super::S;

/// `Logic::update` of a cell whose Verilog is given.
macro_rules! verilog_only {
    () => {
        fn update(&mut self) {
            unimplemented!("simulated in Verilator only")
        }
    };
}

/// A register without reset: `q` follows `d` at the rising clock edge.
#[derive(LogicBlock, Default)]
pub struct Register<T: Synth> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Next value.
    pub d: Signal<In, T>,
    /// Value.
    pub q: Signal<Out, T>,
}

impl<T: Synth> Logic for Register<T> {
    verilog_only!();

    fn connect(&mut self) {
        self.q.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @(posedge clock) q <= d;".into())
    }
}

/// Memories of up to so many words are made of look-up tables: queues are wide and shallow, and would
/// take a third of an ECP5-85F's block RAMs for an eighth of their bits.
const LUT_RAM_WORDS: usize = 128;

/// Likewise for memories of many lanes, which are worth a block RAM sooner.
const LUT_LANE_RAM_WORDS: usize = 64;

/// Bits of a block RAM that is as deep as it can be: 8192 words of two bits, 4096 of four, and so on.
const BLOCK_RAM_BITS: usize = 16384;
/// Memories of more words are cut into slices of one block RAM each.
const UNCUT_WORDS: usize = 4096;

/// Tables of up to so many bits, of which every lane has one, likewise.
const LUT_ROM_BITS: usize = 4096;

/// What a port reads of a word in the beat in which the other port writes it.
enum Collision {
    /// What it held before.
    Old,
    /// Unknown, and something else than was written or held in simulations.
    Unknown,
}

/// `name`, so many words of `width` bits of the given kind of memory, a read port to `to`, and a write
/// port that does `write`.
fn ram(
    name: &str,
    style: &str,
    words: usize,
    to: (&str, usize),
    collision: &Collision,
    write: &str,
) -> String {
    let (to, width) = to;
    let read = match collision {
        Collision::Old => format!("if (read_enable) {to} <= {name}[read_address];"),
        Collision::Unknown => format!(
            "if (read_enable) begin
        {to} <= {name}[read_address];
        if (write_enable != 0 && write_address == read_address) {to} <= {width}'bx;
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

/// One read and one write port of W bits. Data arrives the beat after
/// `read_enable` and stays until the next read.
///
/// What is read of a word in the beat in which it is written is unknown: block RAMs differ, and to
/// promise it takes a bypass of the whole width. See [`Ram::reading_old`].
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
        }
    }

    /// 2^A words; one that is read in the beat in which it is written is read as it was before.
    pub fn reading_old() -> Self {
        Self { _collision: Collision::Old, ..Self::default() }
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
        if self._words <= UNCUT_WORDS {
            let write = "if (write_enable) words[write_address] <= write_data;";
            return Verilog::Custom(ram(
                "words",
                style,
                self._words,
                ("read_data", W),
                &self._collision,
                write,
            ));
        }
        // A bit has one block RAM, not one in each of several banks, and no multiplexer behind them:
        // their wires would meet in the middle of the FPGA.
        let bits = (BLOCK_RAM_BITS / self._words.next_power_of_two()).clamp(1, W);
        let slice = |low: usize| {
            let high = W.min(low + bits) - 1;
            let (name, to) = (format!("words_{low}"), format!("read_data[{high}:{low}]"));
            let write = format!("if (write_enable) {name}[write_address] <= write_data[{high}:{low}];");
            ram(&name, style, self._words, (&to, high + 1 - low), &self._collision, &write)
        };
        Verilog::Custom((0..W).step_by(bits).map(slice).collect())
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
        let (to, write) = (("read_data", W), lanes.join("\n    "));
        Verilog::Custom(ram("words", style, 1 << A, to, &Collision::Unknown, &write))
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

/// N lanes side by side on one bus of W = N · T::BITS bits, lane 0 lowest.
#[derive(LogicBlock)]
pub struct Concat<T: Synth, const N: usize, const W: usize> {
    /// The lanes.
    pub lane: [Signal<In, T>; N],
    /// The bus.
    pub bus: Signal<Out, Bits<W>>,
}

impl<T: Synth, const N: usize, const W: usize> Default for Concat<T, N, W> {
    fn default() -> Self {
        assert_eq!(N * T::BITS, W, "width of a bus of {N} lanes");
        Self { lane: from_fn(|_| Default::default()), bus: Default::default() }
    }
}

impl<T: Synth, const N: usize, const W: usize> Logic for Concat<T, N, W> {
    verilog_only!();

    fn connect(&mut self) {
        self.bus.connect();
    }

    fn hdl(&self) -> Verilog {
        let lanes: Vec<String> = (0..N).rev().map(|lane| format!("lane${lane}")).collect();
        Verilog::Custom(format!("always @(*) bus = {{{}}};", lanes.join(", ")))
    }
}

/// The lanes of a bus.
#[derive(LogicBlock)]
pub struct Split<T: Synth, const N: usize, const W: usize> {
    /// The bus.
    pub bus: Signal<In, Bits<W>>,
    /// The lanes, lane 0 lowest.
    pub lane: [Signal<Out, T>; N],
}

impl<T: Synth, const N: usize, const W: usize> Default for Split<T, N, W> {
    fn default() -> Self {
        assert_eq!(N * T::BITS, W, "width of a bus of {N} lanes");
        Self { bus: Default::default(), lane: from_fn(|_| Default::default()) }
    }
}

impl<T: Synth, const N: usize, const W: usize> Logic for Split<T, N, W> {
    verilog_only!();

    fn connect(&mut self) {
        self.lane.iter_mut().for_each(|lane| lane.connect());
    }

    fn hdl(&self) -> Verilog {
        let lane = |lane: usize| {
            let (high, low) = ((lane + 1) * T::BITS - 1, lane * T::BITS);
            format!("always @(*) lane${lane} = bus[{high}:{low}];\n")
        };
        Verilog::Custom((0..N).map(lane).collect())
    }
}

/// The elements of a bus to N lanes, again and again: lane i has element i mod (W / `T::BITS`).
#[derive(LogicBlock)]
pub struct Spread<T: Synth, const N: usize, const W: usize> {
    /// The bus.
    pub bus: Signal<In, Bits<W>>,
    /// The lanes, lane 0 has the lowest element.
    pub lane: [Signal<Out, T>; N],
}

impl<T: Synth, const N: usize, const W: usize> Default for Spread<T, N, W> {
    fn default() -> Self {
        assert!(
            W.is_multiple_of(T::BITS) && (N * T::BITS).is_multiple_of(W),
            "{N} lanes of a bus of {W} bits"
        );
        Self { bus: Default::default(), lane: from_fn(|_| Default::default()) }
    }
}

impl<T: Synth, const N: usize, const W: usize> Logic for Spread<T, N, W> {
    verilog_only!();

    fn connect(&mut self) {
        self.lane.iter_mut().for_each(|lane| lane.connect());
    }

    fn hdl(&self) -> Verilog {
        let lane = |lane: usize| {
            let low = lane * T::BITS % W;
            format!("always @(*) lane${lane} = bus[{}:{low}];\n", low + T::BITS - 1)
        };
        Verilog::Custom((0..N).map(lane).collect())
    }
}

/// N bits of a bus from bit `start` on.
#[derive(LogicBlock)]
pub struct Slice<const W: usize, const N: usize> {
    /// The bus.
    pub bus: Signal<In, Bits<W>>,
    /// The bits.
    pub bits: Signal<Out, Bits<N>>,
    _start: usize,
}

impl<const W: usize, const N: usize> Slice<W, N> {
    /// The bits from `start` on.
    pub fn new(start: usize) -> Self {
        assert!(start + N <= W, "bits {start} to {} of {W}", start + N);
        Self { bus: Default::default(), bits: Default::default(), _start: start }
    }
}

impl<const W: usize, const N: usize> Logic for Slice<W, N> {
    verilog_only!();

    fn connect(&mut self) {
        self.bits.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!("always @(*) bits = bus[{}:{}];", self._start + N - 1, self._start))
    }
}

/// The present narrow value above those taken before it, as many as fit: W is N or a multiple.
#[derive(LogicBlock)]
pub struct Widen<const N: usize, const W: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The present value counts as one taken from the next beat on.
    pub take: Signal<In, Bit>,
    /// The present value.
    pub narrow: Signal<In, Bits<N>>,
    /// The values, the present one highest.
    pub wide: Signal<Out, Bits<W>>,
}

impl<const N: usize, const W: usize> Default for Widen<N, W> {
    fn default() -> Self {
        assert!(W.is_multiple_of(N), "{W} bits are no multiple of {N}");
        Self {
            clock: Default::default(),
            take: Default::default(),
            narrow: Default::default(),
            wide: Default::default(),
        }
    }
}

impl<const N: usize, const W: usize> Logic for Widen<N, W> {
    verilog_only!();

    fn connect(&mut self) {
        self.wide.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(match W / N {
            1 => "always @(*) wide = narrow;".into(),
            _ => format!(
                "reg [{last}:0] held;
always @(posedge clock) if (take) held <= wide[{high}:{N}];
always @(*) wide = {{narrow, held}};",
                last = W - N - 1,
                high = W - 1,
            ),
        })
    }
}

/// `y = x << amount` of a signed value, without a register.
#[derive(LogicBlock, Default)]
pub struct ShiftLeft<const N: usize, const M: usize, const B: usize> {
    /// N bits.
    pub x: Signal<In, S<N>>,
    /// Places.
    pub amount: Signal<In, Bits<B>>,
    /// M bits, wide enough for the result.
    pub y: Signal<Out, S<M>>,
}

impl<const N: usize, const M: usize, const B: usize> Logic for ShiftLeft<N, M, B> {
    verilog_only!();

    fn connect(&mut self) {
        self.y.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @(*) y = x <<< amount;".into())
    }
}

/// `y = x >>> amount` of a signed value, without a register.
#[derive(LogicBlock, Default)]
pub struct ArithmeticShiftRight<const N: usize, const B: usize> {
    /// The value.
    pub x: Signal<In, S<N>>,
    /// Places.
    pub amount: Signal<In, Bits<B>>,
    /// The value divided by 2^amount, rounded down.
    pub y: Signal<Out, S<N>>,
}

impl<const N: usize, const B: usize> Logic for ArithmeticShiftRight<N, B> {
    verilog_only!();

    fn connect(&mut self) {
        self.y.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @(*) y = x >>> amount;".into())
    }
}

/// `y = x >>> amount` where only M bits of it are wanted, without a register: whether they are all
/// of it, too.
///
/// The greatest step comes first, and no step keeps more bits than those behind it can still move
/// into the M: half the multiplexers of a whole shift if M is small.
#[derive(LogicBlock, Default)]
pub struct ShiftRightInto<const N: usize, const M: usize, const B: usize> {
    /// The value.
    pub x: Signal<In, S<N>>,
    /// Places.
    pub amount: Signal<In, Bits<B>>,
    /// The lowest M bits of the value divided by 2^amount, rounded down.
    pub y: Signal<Out, S<M>>,
    /// The quotient needs more than M bits.
    pub lost: Signal<Out, Bit>,
}

impl<const N: usize, const M: usize, const B: usize> ShiftRightInto<N, M, B> {
    /// The step of 2^`step` places, from `from` bits to `to`.
    fn step(step: usize, from: usize, to: usize) -> String {
        let places = 1 << step;
        // Bits from `low` on are those that do not move along, and the sign.
        let alike = |low: usize| match from - 1 {
            sign if low < sign => format!("!(&x_{step}[{sign}:{low}] | ~|x_{step}[{sign}:{low}])"),
            _ => "1'b0".into(),
        };
        format!(
            "wire signed [{from}-1:0] moved_{step} = amount[{step}] ? x_{step} >>> {places} : x_{step};
wire lost_{step} = amount[{step}] ? {moved} : {stayed};\n",
            moved = alike(to - 1 + places),
            stayed = alike(to - 1),
        )
    }
}

impl<const N: usize, const M: usize, const B: usize> Logic for ShiftRightInto<N, M, B> {
    verilog_only!();

    fn connect(&mut self) {
        self.y.connect();
        self.lost.connect();
    }

    fn hdl(&self) -> Verilog {
        let mut code = String::new();
        let (mut from, mut value) = (N, String::from("x"));
        for step in (0..B).rev() {
            let to = from.min(M + (1 << step) - 1);
            code += &format!("wire signed [{from}-1:0] x_{step} = {value};\n");
            code += &Self::step(step, from, to);
            (from, value) = (to, format!("moved_{step}[{}:0]", to - 1));
        }
        let lost: Vec<String> = (0..B).map(|step| format!("lost_{step}")).collect();
        code += &format!("always @(*) y = {value};\nalways @(*) lost = {};", lost.join(" | "));
        Verilog::Custom(code)
    }
}

/// `Σ row[i]·word[i]` over V elements, row s9, word s16. Latency two beats:
/// a register behind the multipliers, one behind the sum.
#[derive(LogicBlock)]
pub struct Dot<const V: usize, const ROW: usize, const WORD: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// V row operands of nine bits.
    pub row: Signal<In, Bits<ROW>>,
    /// V activations of sixteen bits.
    pub word: Signal<In, Bits<WORD>>,
    /// The sum; 25 bits a product and log2(V) ≤ 7 of growth.
    pub sum: Signal<Out, S<32>>,
}

impl<const V: usize, const ROW: usize, const WORD: usize> Default for Dot<V, ROW, WORD> {
    fn default() -> Self {
        assert_eq!((9 * V, 16 * V), (ROW, WORD), "widths of {V} elements");
        assert!(V <= 128, "sum of {V} products exceeds 32 bits");
        Self {
            clock: Default::default(),
            row: Default::default(),
            word: Default::default(),
            sum: Default::default(),
        }
    }
}

impl<const V: usize, const ROW: usize, const WORD: usize> Logic for Dot<V, ROW, WORD> {
    verilog_only!();

    fn connect(&mut self) {
        self.sum.connect();
    }

    fn hdl(&self) -> Verilog {
        let product = |i: usize| {
            let (row, word) =
                (format!("row[{}:{}]", 9 * i + 8, 9 * i), format!("word[{}:{}]", 16 * i + 15, 16 * i));
            format!(
                "reg signed [24:0] product_{i};\nalways @(posedge clock) product_{i} <= $signed({row}) * $signed({word});\n"
            )
        };
        let products: String = (0..V).map(product).collect();
        Verilog::Custom(format!("{products}always @(posedge clock) sum <= {};", tree("product", 0, V)))
    }
}

/// `Σ x[i]` and `Σ x[i]²` over V elements of s16. Latency two beats, as [`Dot`].
#[derive(LogicBlock)]
pub struct Moments<const V: usize, const WORD: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// V elements of sixteen bits.
    pub word: Signal<In, Bits<WORD>>,
    /// Their sum; 16 bits each and log2(V) ≤ 7 of growth.
    pub sum: Signal<Out, S<23>>,
    /// The sum of their squares, never negative; 31 bits each.
    pub squares: Signal<Out, S<39>>,
}

impl<const V: usize, const WORD: usize> Default for Moments<V, WORD> {
    fn default() -> Self {
        assert_eq!(16 * V, WORD, "width of {V} elements");
        assert!(V <= 128, "sum of {V} squares exceeds 39 bits");
        Self {
            clock: Default::default(),
            word: Default::default(),
            sum: Default::default(),
            squares: Default::default(),
        }
    }
}

impl<const V: usize, const WORD: usize> Logic for Moments<V, WORD> {
    verilog_only!();

    fn connect(&mut self) {
        self.sum.connect();
        self.squares.connect();
    }

    fn hdl(&self) -> Verilog {
        let element = |i: usize| {
            let x = format!("$signed(word[{}:{}])", 16 * i + 15, 16 * i);
            format!(
                "reg signed [15:0] element_{i};
reg signed [31:0] product_{i};
always @(posedge clock) begin
    element_{i} <= {x};
    product_{i} <= {x} * {x};
end
"
            )
        };
        let elements: String = (0..V).map(element).collect();
        Verilog::Custom(format!(
            "{elements}always @(posedge clock) begin
    sum <= {};
    squares <= {};
end",
            tree("element", 0, V),
            tree("product", 0, V)
        ))
    }
}

/// The sum of the signals `NAME_i`, i in `from..from + count`, as a balanced tree.
fn tree(name: &str, from: usize, count: usize) -> String {
    match count {
        1 => format!("{name}_{from}"),
        _ => {
            let half = count / 2;
            format!("({} + {})", tree(name, from, half), tree(name, from + half, count - half))
        }
    }
}

/// Collects V values of 16 bits into a word, one at a time; the first of a word clears the others.
#[derive(LogicBlock)]
pub struct Gather<const V: usize, const WORD: usize, const E: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Takes `value`.
    pub take: Signal<In, Bit>,
    /// Its place in the word; place 0 clears the others.
    pub element: Signal<In, Bits<E>>,
    /// The value.
    pub value: Signal<In, Bits<16>>,
    /// The word, element 0 lowest.
    pub word: Signal<Out, Bits<WORD>>,
}

impl<const V: usize, const WORD: usize, const E: usize> Default for Gather<V, WORD, E> {
    fn default() -> Self {
        assert_eq!(16 * V, WORD, "width of {V} elements");
        assert!(V <= 1 << E, "{V} elements in {E} bits");
        Self {
            clock: Default::default(),
            take: Default::default(),
            element: Default::default(),
            value: Default::default(),
            word: Default::default(),
        }
    }
}

impl<const V: usize, const WORD: usize, const E: usize> Logic for Gather<V, WORD, E> {
    verilog_only!();

    fn connect(&mut self) {
        self.word.connect();
    }

    fn hdl(&self) -> Verilog {
        let element = |i: usize| {
            let (high, low) = (16 * i + 15, 16 * i);
            match i {
                0 => format!("    if (element == 0) word[{high}:{low}] <= value;\n"),
                _ => format!(
                    "    if (element == 0) word[{high}:{low}] <= 0; else if (element == {i}) word[{high}:{low}] <= value;\n"
                ),
            }
        };
        let elements: String = (0..V).map(element).collect();
        Verilog::Custom(format!("always @(posedge clock) if (take) begin\n{elements}end"))
    }
}

/// Words loaded side by side and shifted out one after another, lowest first.
#[derive(LogicBlock, Default)]
pub struct ShiftOut<const WORD: usize, const WORDS: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Takes `words`; goes before `shift`.
    pub load: Signal<In, Bit>,
    /// All words, the first to leave lowest.
    pub words: Signal<In, Bits<WORDS>>,
    /// Moves on to the next word.
    pub shift: Signal<In, Bit>,
    /// The present word.
    pub word: Signal<Out, Bits<WORD>>,
}

impl<const WORD: usize, const WORDS: usize> Logic for ShiftOut<WORD, WORDS> {
    verilog_only!();

    fn connect(&mut self) {
        self.word.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "reg [{last}:0] held;
always @(posedge clock) if (load) held <= words; else if (shift) held <= held >> {WORD};
always @(*) word = held[{high}:0];",
            last = WORDS - 1,
            high = WORD - 1,
        ))
    }
}
