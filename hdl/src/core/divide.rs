//! Words of values, groups of rows.

use crate::support::prelude::*;

/// `y = ceil(x / 2^L)`, without a register.
#[derive(LogicBlock)]
pub struct DivideUp<const L: usize> {
    pub x: Signal<In, Bits<16>>,
    pub y: Signal<Out, Bits<16>>,
    sum: Signal<Local, Bits<32>>,
    most: Constant<Bits<32>>,
}

impl<const L: usize> Default for DivideUp<L> {
    fn default() -> Self {
        Self {
            x: Default::default(),
            y: Default::default(),
            sum: Default::default(),
            most: Constant::new(((1_u64 << L) - 1).into()),
        }
    }
}

impl<const L: usize> Logic for DivideUp<L> {
    #[hdl_gen]
    fn update(&mut self) {
        self.sum.next = bit_cast::<32, 16>(self.x.val()) + self.most.val();
        for i in L..(L + 1) {
            self.y.next = self.sum.val().get_bits::<16>(i);
        }
    }
}
