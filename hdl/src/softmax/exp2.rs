//! 2^−x of a key's distance to the maximum.

use edge_moe_kernels::tables::EXP2;

use crate::support::prelude::*;

/// `kernels::softmax::exp2_negative`: 2^−x in Q0.16.
///
/// Throughput one a beat, latency [`Exp2Negative::LATENCY`] beats.
#[derive(LogicBlock)]
pub struct Exp2Negative {
    pub clock: Signal<In, Clock>,
    /// 8 fraction bits.
    pub x: Signal<In, Bits<17>>,
    pub result: Signal<Out, Bits<16>>,

    /// Every sixteenth power each: tables that are one look-up table deep.
    powers: [Rom<16, 4>; 16],
    of_table: Signal<Local, Bits<4>>,
    one: Constant<Bits<16>>,
    chosen: Register<Bits<16>>,
    table_words: Concat<Bits<16>, 16, 256>,
    choice: Choice<16, 16, 256>,
    power: Register<Bits<16>>,
    /// The integer part of x, or more than the bits that there are to shift.
    whole: Register<Bits<5>>,
    places: Register<Bits<5>>,
    doubled: Signal<Local, Bits<17>>,
    shifted: Register<Bits<17>>,
    plus_one: Signal<Local, Bits<17>>,
    rounded: Register<Bits<16>>,
}

impl Exp2Negative {
    /// Beats from operand to result.
    pub const LATENCY: usize = 4;
}

impl Default for Exp2Negative {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            x: Default::default(),
            result: Default::default(),
            powers: from_fn(|first| Rom::new(EXP2[first..256].iter().step_by(16).map(|&entry| entry as u64))),
            of_table: Default::default(),
            one: Constant::new(1_u64.into()),
            chosen: Default::default(),
            table_words: Default::default(),
            choice: Default::default(),
            power: Default::default(),
            whole: Default::default(),
            places: Default::default(),
            doubled: Default::default(),
            shifted: Default::default(),
            plus_one: Default::default(),
            rounded: Default::default(),
        }
    }
}

impl Logic for Exp2Negative {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, chosen, power, whole, places, shifted, rounded);

        // Beat 1: look up the fraction.
        for i in 0..16 {
            self.powers[i].clock.next = self.clock.val();
            self.powers[i].enable.next = true;
            self.powers[i].address.next = self.x.val().get_bits::<4>(4);
            self.table_words.lane[i].next = self.powers[i].data.val();
        }
        self.of_table.next = self.x.val().get_bits::<4>(0);
        self.chosen.d.next = self.one.val() << self.of_table.val();
        self.whole.d.next = self.x.val().get_bits::<5>(8);
        if self.x.val().get_bits::<4>(13).any() {
            self.whole.d.next = 31.into();
        }

        // Beat 2: choose.
        self.choice.words.next = self.table_words.bus.val();
        self.choice.chosen.next = self.chosen.q.val();
        self.power.d.next = self.choice.word.val();
        self.places.d.next = self.whole.q.val();

        // Beat 3: all but the last place of twice the entry.
        self.doubled.next = bit_cast::<17, 16>(self.power.q.val()) << 1;
        self.shifted.d.next = self.doubled.val() >> self.places.q.val();

        // Beat 4: round, the last place.
        self.plus_one.next = self.shifted.q.val() + 1;
        self.rounded.d.next = self.plus_one.val().get_bits::<16>(1);
        self.result.next = self.rounded.q.val();
    }
}
