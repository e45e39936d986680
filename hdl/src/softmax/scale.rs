//! The scale of a context: 1/Σp.

use edge_moe_kernels::reciprocal::MANTISSA_BITS;

use crate::reciprocal::{self, Reciprocal};
use crate::support::prelude::*;

/// `kernels::softmax::ContextScale::new`: 1/Σp folded into the multiplier and
/// the shift of a context.
///
/// Throughput one a beat, latency [`ContextScale::LATENCY`] beats, no
/// back-pressure. Multiplier and shift travel with their sum and may change
/// every beat.
#[derive(LogicBlock)]
pub struct ContextScale {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub valid: Signal<In, Bit>,
    /// Σp ≥ 1.
    pub sum: Signal<In, Bits<20>>,
    pub multiplier: Signal<In, Bits<16>>,
    /// 1…28.
    pub shift: Signal<In, Bits<5>>,
    pub result_valid: Signal<Out, Bit>,
    /// m′ and s′ of a [`Requantise`](crate::requantise::Requantise) without bias.
    pub context_multiplier: Signal<Out, Bits<16>>,
    pub context_shift: Signal<Out, Bits<6>>,

    reciprocal: Reciprocal,
    multipliers: Delay<Bits<16>, { reciprocal::LATENCY }>,
    shifts: Delay<Bits<5>, { reciprocal::LATENCY }>,
    operand: Signal<Local, S<17>>,
    mantissa: Signal<Local, S<18>>,
    product: Register<S<34>>,
    product_valid: Register<Bit>,
    /// s′ beside `product` and `rounded`.
    exponents: [Register<Bits<6>>; 2],
    half: Constant<S<34>>,
    plus_half: Signal<Local, S<34>>,
    rounded: Register<Bits<16>>,
    rounded_valid: Register<Bit>,
}

impl ContextScale {
    /// Beats from a sum to its scale.
    pub const LATENCY: usize = reciprocal::LATENCY + 2;
}

impl Default for ContextScale {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            valid: Default::default(),
            sum: Default::default(),
            multiplier: Default::default(),
            shift: Default::default(),
            result_valid: Default::default(),
            context_multiplier: Default::default(),
            context_shift: Default::default(),
            reciprocal: Default::default(),
            multipliers: Default::default(),
            shifts: Default::default(),
            operand: Default::default(),
            mantissa: Default::default(),
            product: Default::default(),
            product_valid: Default::default(),
            exponents: Default::default(),
            half: Constant::new(S::new(1 << (MANTISSA_BITS - 1))),
            plus_half: Default::default(),
            rounded: Default::default(),
            rounded_valid: Default::default(),
        }
    }
}

impl Logic for ContextScale {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, product, product_valid, rounded, rounded_valid);
        for i in 0..2 {
            self.exponents[i].clock.next = self.clock.val();
        }
        self.reciprocal.clock.next = self.clock.val();
        self.reciprocal.reset.next = self.reset.val();
        self.multipliers.clock.next = self.clock.val();
        self.shifts.clock.next = self.clock.val();

        self.reciprocal.valid.next = self.valid.val();
        self.reciprocal.x.next = bit_cast::<32, 20>(self.sum.val());
        self.multipliers.d.next = self.multiplier.val();
        self.shifts.d.next = self.shift.val();

        // Multiply.
        self.product_valid.d.next = self.reciprocal.result_valid.val();
        self.operand.next = bit_cast::<17, 16>(self.multipliers.q.val()).to_signed_bits();
        self.mantissa.next = bit_cast::<18, 17>(self.reciprocal.mantissa.val()).to_signed_bits();
        self.product.d.next = (self.operand.val() * self.mantissa.val()).into();
        self.exponents[0].d.next =
            bit_cast::<6, 5>(self.shifts.q.val()) + bit_cast::<6, 5>(self.reciprocal.exponent.val());

        // Round.
        self.rounded_valid.d.next = self.product_valid.q.val();
        self.plus_half.next = (self.product.q.val() + self.half.val()).into();
        self.rounded.d.next = self.plus_half.val().get_bits::<16>(17);
        self.exponents[1].d.next = self.exponents[0].q.val();

        self.result_valid.next = self.rounded_valid.q.val();
        self.context_multiplier.next = self.rounded.q.val();
        self.context_shift.next = self.exponents[1].q.val();

        if self.reset.val() {
            self.product_valid.d.next = false;
            self.rounded_valid.d.next = false;
        }
    }
}
