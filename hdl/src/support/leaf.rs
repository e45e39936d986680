//! Leaf cells that rust-hdl cannot say: Verilog in strings. Memories are in `memory`.
//!
//! | cell | why |
//! |---|---|
//! | [`Register`] | rust-hdl's has an initial value, which hides a missing reset |
//! | [`Replica`] | synthesis makes one register of those that are always equal |
//! | [`Concat`], [`Split`], [`Spread`] | no concatenation and no indexed assignment in the kernel |
//! | [`Slice`] | no slice at a place that is computed when the unit is made |
//! | [`Piece`] | no slice at a place that comes on wires |
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

pub(super) use verilog_only;

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

/// A [`Register`] that stays by itself where others are always equal to it: each near what it drives,
/// not one whose wires reach all of it.
#[derive(LogicBlock, Default)]
pub struct Replica<T: Synth> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Next value.
    pub d: Signal<In, T>,
    /// Value.
    pub q: Signal<Out, T>,
}

impl<T: Synth> Logic for Replica<T> {
    verilog_only!();

    fn connect(&mut self) {
        self.q.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom("(* keep *) always @(posedge clock) q <= d;".into())
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

/// One of the pieces of N bits that a bus of W bits consists of.
#[derive(LogicBlock)]
pub struct Piece<const W: usize, const N: usize, const I: usize> {
    /// The bus.
    pub bus: Signal<In, Bits<W>>,
    /// Which piece, the lowest is 0.
    pub index: Signal<In, Bits<I>>,
    /// The piece.
    pub bits: Signal<Out, Bits<N>>,
}

impl<const W: usize, const N: usize, const I: usize> Default for Piece<W, N, I> {
    fn default() -> Self {
        assert!(W.is_multiple_of(N) && W / N <= 1 << I, "pieces of {N} bits of {W}, numbered in {I} bits");
        Self { bus: Default::default(), index: Default::default(), bits: Default::default() }
    }
}

impl<const W: usize, const N: usize, const I: usize> Logic for Piece<W, N, I> {
    verilog_only!();

    fn connect(&mut self) {
        self.bits.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!("always @(*) bits = bus[{N} * index +: {N}];"))
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
