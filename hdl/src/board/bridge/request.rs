//! A request, from its first byte until it is answered.

use edge_moe_isa::link::{CRC_BYTES, FRAME_BYTES, HEADER_BYTES};

use super::Crc32;
use crate::support::prelude::*;

/// Collects the bytes of a frame, and holds them as a request if they are one.
///
/// `came` and `valid` follow `ended` by a beat if the bytes before it are whole words of a legal number that end with
/// their CRC; anything else is forgotten. The last word, which is the CRC, lies behind the payload.
#[derive(LogicBlock)]
pub struct RequestBuffer {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// As from the deframer; not while a request is held.
    pub take: Signal<In, Bit>,
    pub data: Signal<In, Bits<8>>,
    pub ended: Signal<In, Bit>,
    pub whole: Signal<In, Bit>,

    /// A request begins to be held.
    pub came: Signal<Out, Bit>,
    /// A request is held, until the beat of `done`.
    pub valid: Signal<Out, Bit>,
    pub done: Signal<In, Bit>,
    /// The words of its header.
    pub session: Signal<Out, Bits<32>>,
    pub kind: Signal<Out, Bits<32>>,
    pub address: Signal<Out, Bits<32>>,
    pub value: Signal<Out, Bits<32>>,
    /// Words of its payload, up to 256.
    pub payload_words: Signal<Out, Bits<9>>,
    /// Reads a word of the payload, which comes a beat later and stays.
    pub read_enable: Signal<In, Bit>,
    pub read_index: Signal<In, Bits<8>>,
    pub read_data: Signal<Out, Bits<32>>,

    crc: Crc32,
    /// Bytes that were taken.
    count: Register<Bits<11>>,
    words_taken: Signal<Local, Bits<9>>,
    full: Signal<Local, Bit>,
    overlong: Register<Bit>,
    word: Register<Bits<32>>,
    word_ends: Register<Bit>,
    word_index: Register<Bits<9>>,
    header: [Register<Bits<32>>; 4],
    buffer: Ram<32, 9>,
    legal: Signal<Local, Bit>,
    held: Register<Bit>,
    begins: Register<Bit>,
    payload: Register<Bits<9>>,
    most_bytes: Constant<Bits<11>>,
    least_words: Constant<Bits<9>>,
}

impl Default for RequestBuffer {
    fn default() -> Self {
        assert_eq!((HEADER_BYTES, CRC_BYTES), (16, 4), "words of the kernel below");
        with_defaults!(
            clock, reset, take, data, ended, whole, came, valid, done, session, kind, address, value,
            payload_words, read_enable, read_index, read_data, crc, count, words_taken, full, overlong, word, word_ends,
            word_index, buffer, legal, held, begins, payload;
            header: from_fn(|_| Default::default()),
            most_bytes: Constant::new((FRAME_BYTES as u64).into()),
            least_words: Constant::new(((HEADER_BYTES + CRC_BYTES) as u64 / 4).into()),
        )
    }
}

impl Logic for RequestBuffer {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, count, overlong, word, word_ends, word_index, held, begins, payload);

        // Bytes to words.
        self.crc.clock.next = self.clock.val();
        self.crc.clear.next = self.ended.val() | self.reset.val();
        self.crc.take.next = self.take.val();
        self.crc.data.next = self.data.val();
        self.full.next = self.count.q.val() == self.most_bytes.val();
        self.word_ends.d.next = false;
        self.words_taken.next = self.count.q.val().get_bits::<9>(2);
        self.word_index.d.next = self.words_taken.val();
        if self.take.val() {
            if self.full.val() {
                self.overlong.d.next = true;
            } else {
                self.count.d.next = self.count.q.val() + 1;
                self.word.d.next = (self.word.q.val() >> 8) | (bit_cast::<32, 8>(self.data.val()) << 24);
                self.word_ends.d.next = self.count.q.val().get_bits::<2>(0).all();
            }
        }

        // Words to header and payload.
        for i in 0..4 {
            self.header[i].clock.next = self.clock.val();
            self.header[i].d.next = self.header[i].q.val();
        }
        if self.word_ends.q.val() & !self.word_index.q.val().get_bits::<7>(2).any() {
            self.header[3].d.next = self.word.q.val();
            for i in 1..4 {
                self.header[i - 1].d.next = self.header[i].q.val();
            }
        }
        self.buffer.clock.next = self.clock.val();
        self.buffer.write_enable.next = self.word_ends.q.val();
        self.buffer.write_address.next = self.word_index.q.val();
        self.buffer.write_data.next = self.word.q.val();
        self.buffer.read_enable.next = self.read_enable.val();
        self.buffer.read_address.next = bit_cast::<9, 8>(self.read_index.val()) + 4;
        self.read_data.next = self.buffer.read_data.val();
        self.session.next = self.header[0].q.val();
        self.kind.next = self.header[1].q.val();
        self.address.next = self.header[2].q.val();
        self.value.next = self.header[3].q.val();

        // The end.
        self.legal.next = self.whole.val()
            & !self.overlong.q.val()
            & !self.count.q.val().get_bits::<2>(0).any()
            & (self.words_taken.val() >= self.least_words.val())
            & self.crc.fits.val();
        self.begins.d.next = self.ended.val() & self.legal.val();
        if self.ended.val() {
            self.held.d.next = self.legal.val();
            self.payload.d.next = self.words_taken.val() - 5;
            self.count.d.next = 0.into();
            self.overlong.d.next = false;
        }
        if self.done.val() {
            self.held.d.next = false;
        }
        self.came.next = self.begins.q.val();
        self.valid.next = self.held.q.val();
        self.payload_words.next = self.payload.q.val();

        if self.reset.val() {
            self.count.d.next = 0.into();
            self.overlong.d.next = false;
            self.word_ends.d.next = false;
            self.held.d.next = false;
            self.begins.d.next = false;
        }
    }
}
