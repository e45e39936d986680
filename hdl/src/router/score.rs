//! Scores of the experts that a pass has found.
//!
//! Twin of the second half of `edge_moe_kernels::route::choose`:
//! `min(65535, (e·mantissa + 2^exponent) >> (1 + exponent))` with the reciprocal
//! of Σe over all experts. The rounding shift is a shift by the exponent, plus
//! one, and a shift by one; as Σe ≥ 65535, the exponent is at least 15.
//!
//! The powers e of a pass come one after another. In the beats after the last:
//!
//! | beat | what |
//! |---:|---|
//! | 1 | the sum stands, for at least three beats |
//! | 1 … 6 | reciprocal |
//! | 7, 8 | products with the powers of the first and the second expert |
//! | 8, 9 | shift, rounding |
//! | 9, 10 | the choices leave |
//!
//! Choices are never refused: whoever takes them keeps up.

use edge_moe_kernels::tables::EXP2;

use crate::reciprocal::{self, Reciprocal};
use crate::support::prelude::*;

#[derive(LogicBlock)]
pub struct Score {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Choices are still to come.
    pub busy: Signal<Out, Bit>,

    /// Takes the experts; they stay until the choices have left.
    pub take: Signal<In, Bit>,
    /// The first expert is the one with the greatest logit, thus the power [`EXP2`]`[0]`.
    pub first_valid: Signal<In, Bit>,
    pub first: Signal<In, Bits<6>>,
    /// The second is the last that came with `power_better`.
    pub second_valid: Signal<In, Bit>,
    pub second: Signal<In, Bits<6>>,
    pub token: Signal<In, Bits<16>>,

    /// Powers of a pass. The pass after begins no sooner than three beats after `power_last`.
    pub power_valid: Signal<In, Bit>,
    pub power: Signal<In, Bits<16>>,
    pub power_better: Signal<In, Bit>,
    pub power_first: Signal<In, Bit>,
    pub power_last: Signal<In, Bit>,

    pub choice_valid: Signal<Out, Bit>,
    pub choice_expert: Signal<Out, Bits<6>>,
    pub choice_token: Signal<Out, Bits<16>>,
    pub choice_score: Signal<Out, Bits<16>>,

    /// Beats since `power_last`: bit i is beat i + 1.
    since_last: Register<Bits<10>>,
    has_first: Register<Bit>,
    has_second: Register<Bit>,
    first_expert: Register<Bits<6>>,
    second_expert: Register<Bits<6>>,
    of_token: Register<Bits<16>>,
    sum: Register<Bits<22>>,
    best_power: Register<Bits<16>>,
    second_power: Register<Bits<16>>,
    reciprocal: Reciprocal,
    factor: Signal<Local, Bits<17>>,
    mantissa: Signal<Local, Bits<18>>,
    product: Register<S<35>>,
    high: Signal<Local, Bits<19>>,
    places: Signal<Local, Bits<5>>,
    shifter: ArithmeticShiftRight<19, 3>,
    plus_one: Signal<Local, S<20>>,
    score: Register<Bits<16>>,
    one: Constant<S<2>>,
    first_power: Constant<Bits<17>>,
    greatest: Constant<Bits<16>>,
}

impl Default for Score {
    fn default() -> Self {
        assert_eq!(reciprocal::LATENCY, 6, "what the beats of the products are made for");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            busy: Default::default(),
            take: Default::default(),
            first_valid: Default::default(),
            first: Default::default(),
            second_valid: Default::default(),
            second: Default::default(),
            token: Default::default(),
            power_valid: Default::default(),
            power: Default::default(),
            power_better: Default::default(),
            power_first: Default::default(),
            power_last: Default::default(),
            choice_valid: Default::default(),
            choice_expert: Default::default(),
            choice_token: Default::default(),
            choice_score: Default::default(),
            since_last: Default::default(),
            has_first: Default::default(),
            has_second: Default::default(),
            first_expert: Default::default(),
            second_expert: Default::default(),
            of_token: Default::default(),
            sum: Default::default(),
            best_power: Default::default(),
            second_power: Default::default(),
            reciprocal: Default::default(),
            factor: Default::default(),
            mantissa: Default::default(),
            product: Default::default(),
            high: Default::default(),
            places: Default::default(),
            shifter: Default::default(),
            plus_one: Default::default(),
            score: Default::default(),
            one: Constant::new(S::new(1)),
            first_power: Constant::new((EXP2[0] as u64).into()),
            greatest: Constant::new(u64::from(u16::MAX).into()),
        }
    }
}

impl Logic for Score {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, since_last, has_first, has_second, first_expert, second_expert, of_token);
        dff_setup!(self, clock, sum, best_power, second_power, product, score);
        self.reciprocal.clock.next = self.clock.val();
        self.reciprocal.reset.next = self.reset.val();

        if self.take.val() {
            self.has_first.d.next = self.first_valid.val();
            self.has_second.d.next = self.second_valid.val();
            self.first_expert.d.next = self.first.val();
            self.second_expert.d.next = self.second.val();
            self.of_token.d.next = self.token.val();
        }

        // Sum.
        if self.power_valid.val() {
            self.sum.d.next = self.sum.q.val() + bit_cast::<22, 16>(self.power.val());
            if self.power_first.val() {
                self.sum.d.next = bit_cast::<22, 16>(self.power.val());
            }
            if self.power_better.val() {
                self.best_power.d.next = self.power.val();
            }
        }
        self.since_last.d.next =
            (self.since_last.q.val() << 1) | bit_cast::<10, 1>(self.power_last.val().into());

        // Beats 1 to 6. As the sum stays for three beats, so does its
        // reciprocal: for both products and their shifts.
        self.reciprocal.valid.next = self.since_last.q.val().get_bit(0);
        self.reciprocal.x.next = bit_cast::<32, 22>(self.sum.q.val());
        if self.since_last.q.val().get_bit(0) {
            self.second_power.d.next = self.best_power.q.val();
        }

        // Beats 7 and 8: multiply.
        self.factor.next = self.first_power.val();
        if self.since_last.q.val().get_bit(7) {
            self.factor.next = bit_cast::<17, 16>(self.second_power.q.val());
        }
        self.mantissa.next = bit_cast::<18, 17>(self.reciprocal.mantissa.val());
        self.product.d.next =
            (self.factor.val().to_signed_bits() * self.mantissa.val().to_signed_bits()).into();

        // Beats 8 and 9: fifteen places and the rest of the exponent, round, the last place.
        self.high.next = bit_cast::<19, 18>(self.product.q.val().get_bits::<18>(15));
        self.places.next = self.reciprocal.exponent.val() - 15;
        self.shifter.x.next = self.high.val().to_signed_bits();
        self.shifter.amount.next = self.places.val().get_bits::<3>(0);
        self.plus_one.next = (self.shifter.y.val() + self.one.val()).into();
        self.score.d.next = self.plus_one.val().get_bits::<16>(1);
        if self.plus_one.val().get_bits::<2>(17).any() {
            self.score.d.next = self.greatest.val();
        }

        // Beats 9 and 10: out.
        self.choice_valid.next = (self.since_last.q.val().get_bit(8) & self.has_first.q.val())
            | (self.since_last.q.val().get_bit(9) & self.has_second.q.val());
        self.choice_expert.next = self.first_expert.q.val();
        if self.since_last.q.val().get_bit(9) {
            self.choice_expert.next = self.second_expert.q.val();
        }
        self.choice_token.next = self.of_token.q.val();
        self.choice_score.next = self.score.q.val();
        self.busy.next = self.since_last.q.val().any();

        if self.reset.val() {
            self.since_last.d.next = 0.into();
        }
    }
}
