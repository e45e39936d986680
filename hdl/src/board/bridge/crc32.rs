//! CRC-32 of IEEE 802.3, a byte a beat.

use crate::support::prelude::*;

/// The polynomial, bit 31 the coefficient of x⁰.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// The register behind bytes that end with their own CRC.
const RESIDUE: u64 = 0xdebb_20e3;

/// The register after a byte, without those bits of it that shift out.
const fn step(byte: u32) -> u32 {
    let mut register = byte;
    let mut bit = 0;
    while bit < 8 {
        register = (register >> 1) ^ (POLYNOMIAL & (register & 1).wrapping_neg());
        bit += 1;
    }
    register
}

/// Which of eight bits go into bit `bit` of the register after them.
fn feeding(bit: usize) -> u64 {
    (0..8).map(|input| u64::from(step(1 << input) >> bit & 1) << input).sum()
}

/// The CRC-32 of bytes, as in zlib.
#[derive(LogicBlock)]
pub struct Crc32 {
    pub clock: Signal<In, Clock>,
    /// Forgets all bytes; goes before `take`.
    pub clear: Signal<In, Bit>,
    /// Takes a byte: the outputs have it from the next beat on.
    pub take: Signal<In, Bit>,
    pub data: Signal<In, Bits<8>>,
    /// The CRC of the bytes taken since `clear`.
    pub sum: Signal<Out, Bits<32>>,
    /// They end with the CRC of those before.
    pub fits: Signal<Out, Bit>,

    register: Register<Bits<32>>,
    shifted_out: Signal<Local, Bits<8>>,
    fed: [Signal<Local, Bits<8>>; 32],
    change: Concat<Bit, 32, 32>,
    feeding: [Constant<Bits<8>>; 32],
    ones: Constant<Bits<32>>,
    residue: Constant<Bits<32>>,
}

impl Default for Crc32 {
    fn default() -> Self {
        with_defaults!(
            clock, clear, take, data, sum, fits, register, shifted_out, change;
            fed: from_fn(|_| Default::default()),
            feeding: from_fn(|bit| Constant::new(feeding(bit).into())),
            ones: Constant::new(u64::from(u32::MAX).into()),
            residue: Constant::new(RESIDUE.into()),
        )
    }
}

impl Logic for Crc32 {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, register);
        self.shifted_out.next = self.register.q.val().get_bits::<8>(0) ^ self.data.val();
        for i in 0..32 {
            self.fed[i].next = self.shifted_out.val() & self.feeding[i].val();
            self.change.lane[i].next = self.fed[i].val().xor();
        }
        if self.take.val() {
            self.register.d.next = (self.register.q.val() >> 8) ^ self.change.bus.val();
        }
        if self.clear.val() {
            self.register.d.next = self.ones.val();
        }
        self.sum.next = !self.register.q.val();
        self.fits.next = self.register.q.val() == self.residue.val();
    }
}
