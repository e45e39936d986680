//! The epilogue: finishes words of results and writes them.
//!
//! For each value x of a word, with the modes that came with it:
//!
//! ```text
//! y = in_gelu     ? gelu(x)                       : x     kernels::gelu::gelu
//! z = in_weighted ? (y·in_score + 2^15) >> 16     : y     kernels::route::accumulate_weighted
//! in_residual ? residual[in_address] = sat16(residual[in_address] + z)    kernels::fixed::accumulate
//!             : scratchpad[in_address] = z
//! ```
//!
//! Words come ready/valid and are written in the order in which they came,
//! whatever their modes; both memories take a write at once. The residual
//! memory answers `residual_read` [`RESIDUAL_LATENCY`] beats later, and only in that beat. A
//! reset forgets all words that are not yet written.
//!
//! | modes of a word | beats a word | from its transfer to its write |
//! |---|---|---|
//! | none | 1 | 2, and longer while words with modes are inside |
//! | some | V/W | V/W + [`LATENCY`] |
//! | residual, same address as the residual word before it | V/W + [`SETTLING`] | up to [`SETTLING`] more |
//!
//! A word is worked on in slices of W values. A slice never waits once its word
//! has begun, so nothing behind the first register knows a pause.

use crate::gelu::Gelu;
use crate::support::prelude::*;

/// Beats from the last slice of a word to its write.
pub const LATENCY: usize = SUMMED + 1;
/// Beats from `residual_read` to the word: in the first its address is put into a register, in the last
/// the memory reads.
pub const RESIDUAL_LATENCY: usize = 2;
/// Beats between two words where the second one reads what the first one writes.
pub const SETTLING: usize = SUMMED + 1 - (READ + RESIDUAL_LATENCY - 1);
/// Beats from a slice to its sum.
const SUMMED: usize = Gelu::LATENCY + 2;
/// Beats from the first slice to `residual_read`: just in time.
const READ: usize = Gelu::LATENCY - RESIDUAL_LATENCY;

/// One of the W values: GELU, weight, sum. Throughput one a beat.
#[derive(LogicBlock)]
pub struct Finish {
    pub clock: Signal<In, Clock>,
    pub x: Signal<In, S<16>>,
    pub gelu: Signal<In, Bit>,
    pub gelu_bits: Signal<In, Bits<4>>,
    /// Q2.16, [`Gelu::LATENCY`] beats after x.
    pub weight: Signal<In, S<18>>,
    /// What is added to, a beat after `weight`.
    pub residual: Signal<In, Bits<16>>,
    /// `SUMMED` beats after x.
    pub result: Signal<Out, S<16>>,

    activation: Gelu,
    product: Register<S<34>>,
    sum: Register<S<34>>,
    addend: Signal<Local, Bits<32>>,
    whole: Signal<Local, S<18>>,
    half: Constant<Bits<32>>,
    greatest: Constant<S<18>>,
    least: Constant<S<18>>,
}

impl Default for Finish {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            x: Default::default(),
            gelu: Default::default(),
            gelu_bits: Default::default(),
            weight: Default::default(),
            residual: Default::default(),
            result: Default::default(),
            activation: Default::default(),
            product: Default::default(),
            sum: Default::default(),
            addend: Default::default(),
            whole: Default::default(),
            half: Constant::new((1_u64 << 15).into()),
            greatest: Constant::new(S::new(i16::MAX.into())),
            least: Constant::new(S::new(i16::MIN.into())),
        }
    }
}

impl Logic for Finish {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, product, sum);
        self.activation.clock.next = self.clock.val();
        self.activation.x.next = self.x.val();
        self.activation.apply.next = self.gelu.val();
        self.activation.fraction_bits.next = self.gelu_bits.val();

        self.product.d.next = (self.activation.result.val() * self.weight.val()).into();

        // r + ((p + 2^15) >> 16) = (r·2^16 + 2^15 + p) >> 16.
        self.addend.next = (bit_cast::<32, 16>(self.residual.val()) << 16) | self.half.val();
        self.sum.d.next = (self.addend.val().to_signed_bits() + self.product.q.val()).into();

        self.whole.next = self.sum.q.val().get_bits::<18>(16).to_signed_bits();
        self.result.next = self.whole.val().into();
        if self.whole.val() > self.greatest.val() {
            self.result.next = self.greatest.val().into();
        } else if self.whole.val() < self.least.val() {
            self.result.next = self.least.val().into();
        }
    }
}

/// V values a word, W a slice, N = V/W slices; A bits of an address.
#[derive(LogicBlock)]
pub struct Epilogue<
    const V: usize,
    const W: usize,
    const N: usize,
    const WORD: usize,
    const SLICE: usize,
    const A: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    pub in_valid: Signal<In, Bit>,
    pub in_ready: Signal<Out, Bit>,
    pub in_address: Signal<In, Bits<A>>,
    pub in_gelu: Signal<In, Bit>,
    /// Fraction bits of x under GELU, 9…13.
    pub in_gelu_bits: Signal<In, Bits<4>>,
    pub in_weighted: Signal<In, Bit>,
    /// Gate score, Q0.16.
    pub in_score: Signal<In, Bits<16>>,
    /// Accumulate in the residual memory; else write to the scratchpad.
    pub in_residual: Signal<In, Bit>,
    pub in_data: Signal<In, Bits<WORD>>,

    pub scratchpad_write: Signal<Out, Bit>,
    pub scratchpad_address: Signal<Out, Bits<A>>,
    pub scratchpad_data: Signal<Out, Bits<WORD>>,

    pub residual_read: Signal<Out, Bit>,
    pub residual_read_address: Signal<Out, Bits<A>>,
    /// [`RESIDUAL_LATENCY`] beats after `residual_read`.
    pub residual_read_data: Signal<In, Bits<WORD>>,
    pub residual_write: Signal<Out, Bit>,
    pub residual_write_address: Signal<Out, Bits<A>>,
    pub residual_write_data: Signal<Out, Bits<WORD>>,

    /// No word is inside: all that came are written, the last one before this beat.
    pub idle: Signal<Out, Bit>,

    /// The word that leaves slice by slice, lowest first, and its modes.
    full: Register<Bit>,
    address: Register<Bits<A>>,
    gelu: Register<Bit>,
    gelu_bits: Register<Bits<4>>,
    weighted: Register<Bit>,
    weight: Register<S<18>>,
    residual: Register<Bit>,
    word: [Register<Bits<SLICE>>; N],
    arriving: Split<Bits<SLICE>, N, WORD>,
    /// Number of the present slice.
    slice: Register<Bits<8>>,
    last_slice: Constant<Bits<8>>,
    plain: Signal<Local, Bit>,
    hazard: Signal<Local, Bit>,
    /// A slice leaves.
    issue: Signal<Local, Bit>,
    /// The whole word leaves, past the slices.
    pass: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    leave: Signal<Local, Bit>,
    take: Signal<Local, Bit>,

    /// The residual word that left most recently, and beats until it may be read again.
    settling: Register<Bits<4>>,
    settling_address: Register<Bits<A>>,
    /// The word that leaves has that address.
    follows: Register<Bit>,
    settling_beats: Constant<Bits<4>>,

    /// What goes along with the slices.
    read: ValidDelay<READ>,
    read_address: Delay<Bits<A>, READ>,
    write_address: Delay<Bits<A>, { SUMMED - READ }>,
    slice_weight: Delay<S<18>, { Gelu::LATENCY }>,
    to_residual: Delay<Bit, SUMMED>,
    adds: Delay<Bit, { Gelu::LATENCY + 1 }>,
    complete: ValidDelay<SUMMED>,
    values: Split<S<16>, W, SLICE>,
    finish: [Finish; W],
    results: Concat<S<16>, W, SLICE>,

    /// The residual word arrives.
    load: Delay<Bit, RESIDUAL_LATENCY>,
    residuals: ShiftOut<SLICE, WORD>,
    residual_values: Split<Bits<16>, W, SLICE>,

    /// Results gather here, and leave.
    gathered: [Register<Bits<SLICE>>; N],
    out: Concat<Bits<SLICE>, N, WORD>,
    out_address: Register<Bits<A>>,
    out_scratchpad: Register<Bit>,
    out_residual: Register<Bit>,
    unweighted: Constant<S<18>>,
}

impl<const V: usize, const W: usize, const N: usize, const WORD: usize, const SLICE: usize, const A: usize>
    Default for Epilogue<V, W, N, WORD, SLICE, A>
{
    fn default() -> Self {
        assert_eq!([W * N, 16 * V, 16 * W], [V, WORD, SLICE], "sizes of {N} slices");
        // Else the word before the word before would have to settle, too.
        assert!((SETTLING..256).contains(&N), "{N} slices a word");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            in_valid: Default::default(),
            in_ready: Default::default(),
            in_address: Default::default(),
            in_gelu: Default::default(),
            in_gelu_bits: Default::default(),
            in_weighted: Default::default(),
            in_score: Default::default(),
            in_residual: Default::default(),
            in_data: Default::default(),
            scratchpad_write: Default::default(),
            scratchpad_address: Default::default(),
            scratchpad_data: Default::default(),
            residual_read: Default::default(),
            residual_read_address: Default::default(),
            residual_read_data: Default::default(),
            residual_write: Default::default(),
            residual_write_address: Default::default(),
            residual_write_data: Default::default(),
            idle: Default::default(),
            full: Default::default(),
            address: Default::default(),
            gelu: Default::default(),
            gelu_bits: Default::default(),
            weighted: Default::default(),
            weight: Default::default(),
            residual: Default::default(),
            word: from_fn(|_| Default::default()),
            arriving: Default::default(),
            slice: Default::default(),
            last_slice: Constant::new((N as u64 - 1).into()),
            plain: Default::default(),
            hazard: Default::default(),
            issue: Default::default(),
            pass: Default::default(),
            last: Default::default(),
            leave: Default::default(),
            take: Default::default(),
            settling: Default::default(),
            settling_address: Default::default(),
            follows: Default::default(),
            settling_beats: Constant::new((SETTLING as u64).into()),
            read: Default::default(),
            read_address: Default::default(),
            write_address: Default::default(),
            slice_weight: Default::default(),
            to_residual: Default::default(),
            adds: Default::default(),
            complete: Default::default(),
            values: Default::default(),
            finish: from_fn(|_| Default::default()),
            results: Default::default(),
            load: Default::default(),
            residuals: Default::default(),
            residual_values: Default::default(),
            gathered: from_fn(|_| Default::default()),
            out: Default::default(),
            out_address: Default::default(),
            out_scratchpad: Default::default(),
            out_residual: Default::default(),
            unweighted: Constant::new(S::new(1 << 16)),
        }
    }
}

impl<const V: usize, const W: usize, const N: usize, const WORD: usize, const SLICE: usize, const A: usize>
    Logic for Epilogue<V, W, N, WORD, SLICE, A>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            full,
            address,
            gelu,
            gelu_bits,
            weighted,
            weight,
            residual,
            slice,
            settling,
            settling_address,
            follows,
            out_address,
            out_scratchpad,
            out_residual
        );
        self.read.clock.next = self.clock.val();
        self.read.reset.next = self.reset.val();
        self.read_address.clock.next = self.clock.val();
        self.write_address.clock.next = self.clock.val();
        self.slice_weight.clock.next = self.clock.val();
        self.to_residual.clock.next = self.clock.val();
        self.adds.clock.next = self.clock.val();
        self.complete.clock.next = self.clock.val();
        self.complete.reset.next = self.reset.val();
        self.load.clock.next = self.clock.val();
        self.residuals.clock.next = self.clock.val();
        for i in 0..N {
            self.word[i].clock.next = self.clock.val();
            self.gathered[i].clock.next = self.clock.val();
            self.word[i].d.next = self.word[i].q.val();
        }

        // What leaves: a slice, or a whole word that needs no slices. That one waits until the
        // slices before it have been gathered, where it goes, too.
        self.last.next = self.slice.q.val() == self.last_slice.val();
        self.plain.next = !self.gelu.q.val() & !self.weighted.q.val() & !self.residual.q.val();
        self.hazard.next = self.residual.q.val() & self.settling.q.val().any() & self.follows.q.val();
        self.issue.next = self.full.q.val() & !self.plain.val() & !self.hazard.val();
        self.pass.next = self.full.q.val() & self.plain.val() & !self.complete.any.val();
        self.leave.next = self.pass.val() | (self.issue.val() & self.last.val());
        if self.settling.q.val().any() {
            self.settling.d.next = self.settling.q.val() - 1;
        }
        if self.issue.val() {
            self.slice.d.next = self.slice.q.val() + 1;
            for i in 1..N {
                self.word[i - 1].d.next = self.word[i].q.val();
            }
            if self.last.val() & self.residual.q.val() {
                self.settling.d.next = self.settling_beats.val();
                self.settling_address.d.next = self.address.q.val();
            }
        }

        // What comes.
        self.in_ready.next = !self.full.q.val() | self.leave.val();
        self.take.next = self.in_valid.val() & self.in_ready.val();
        self.arriving.bus.next = self.in_data.val();
        if self.leave.val() {
            self.full.d.next = false;
            self.slice.d.next = 0.into();
        }
        if self.take.val() {
            self.full.d.next = true;
            self.address.d.next = self.in_address.val();
            self.follows.d.next = self.in_address.val() == self.settling_address.q.val();
            if self.leave.val() & self.residual.q.val() {
                self.follows.d.next = self.in_address.val() == self.address.q.val();
            }
            self.gelu.d.next = self.in_gelu.val();
            self.gelu_bits.d.next = self.in_gelu_bits.val();
            self.weighted.d.next = self.in_weighted.val();
            self.weight.d.next = self.unweighted.val();
            if self.in_weighted.val() {
                self.weight.d.next = bit_cast::<18, 16>(self.in_score.val()).to_signed_bits();
            }
            self.residual.d.next = self.in_residual.val();
            for i in 0..N {
                self.word[i].d.next = self.arriving.lane[i].val();
            }
        }

        // Along with the slices.
        self.read.d.next = self.issue.val() & self.residual.q.val() & !self.slice.q.val().any();
        self.read_address.d.next = self.address.q.val();
        self.write_address.d.next = self.read_address.q.val();
        self.slice_weight.d.next = self.weight.q.val();
        self.adds.d.next = self.residual.q.val();
        self.to_residual.d.next = self.residual.q.val();
        self.complete.d.next = self.issue.val() & self.last.val();

        // The residual word, slice by slice.
        self.residual_read.next = self.read.q.val();
        self.residual_read_address.next = self.read_address.q.val();
        self.load.d.next = self.read.q.val();
        self.residuals.load.next = self.load.q.val();
        self.residuals.words.next = self.residual_read_data.val();
        self.residuals.shift.next = true;
        self.residual_values.bus.next = self.residuals.word.val();

        // The values.
        self.values.bus.next = self.word[0].q.val();
        for i in 0..W {
            self.finish[i].clock.next = self.clock.val();
            self.finish[i].x.next = self.values.lane[i].val();
            self.finish[i].gelu.next = self.gelu.q.val();
            self.finish[i].gelu_bits.next = self.gelu_bits.q.val();
            self.finish[i].weight.next = self.slice_weight.q.val();
            self.finish[i].residual.next = 0.into();
            if self.adds.q.val() {
                self.finish[i].residual.next = self.residual_values.lane[i].val();
            }
            self.results.lane[i].next = self.finish[i].result.val();
        }

        // Gather and write.
        for i in 1..N {
            self.gathered[i - 1].d.next = self.gathered[i].q.val();
        }
        for i in (N - 1)..N {
            self.gathered[i].d.next = self.results.bus.val();
        }
        self.out_address.d.next = self.write_address.q.val();
        if self.pass.val() {
            self.out_address.d.next = self.address.q.val();
            for i in 0..N {
                self.gathered[i].d.next = self.word[i].q.val();
            }
        }
        self.out_scratchpad.d.next = self.pass.val() | (self.complete.q.val() & !self.to_residual.q.val());
        self.out_residual.d.next = self.complete.q.val() & self.to_residual.q.val();
        for i in 0..N {
            self.out.lane[i].next = self.gathered[i].q.val();
        }
        self.scratchpad_write.next = self.out_scratchpad.q.val();
        self.scratchpad_address.next = self.out_address.q.val();
        self.scratchpad_data.next = self.out.bus.val();
        self.residual_write.next = self.out_residual.q.val();
        self.residual_write_address.next = self.out_address.q.val();
        self.residual_write_data.next = self.out.bus.val();

        self.idle.next = !self.full.q.val()
            & !self.complete.any.val()
            & !self.out_scratchpad.q.val()
            & !self.out_residual.q.val();

        if self.reset.val() {
            self.full.d.next = false;
            self.slice.d.next = 0.into();
            self.settling.d.next = 0.into();
            self.out_scratchpad.d.next = false;
            self.out_residual.d.next = false;
        }
    }
}
