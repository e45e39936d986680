//! The board's end of the link: a serial line to the registers of a core and to memory.
//!
//! Twin of `edge_moe_isa::link::Bridge`, byte by byte of its answers; frames and operations are described
//! in `edge_moe_isa::link`.
//!
//! | part | what it does |
//! |---|---|
//! | [`UartReceiver`](super::UartReceiver) | bits to bytes |
//! | [`ByteQueue`] | holds bytes while a request is executed |
//! | [`Deframer`] | takes escapes out, finds the ends of frames |
//! | [`RequestBuffer`] | checks a frame and holds it |
//! | [`Executor`] | checks a request, executes it, answers it |
//! | [`RegisterPort`], [`MemoryPort`] | accesses |
//! | [`Answer`] | frames the answer as it is sent |
//! | [`UartTransmitter`](super::UartTransmitter) | bytes to bits |
//!
//! A frame is executed when all of it is there and its CRC is right, and the next one is looked at when all of
//! its answer is with the transmitter. Meanwhile up to 2047 bytes wait; if more come, the frames that lost some
//! are dropped whole.
//!
//! `reset` forgets everything, the session too, and leaves the line high.
//!
//! # Waits
//! The bridge bounds none by itself: the core answers within three beats, and memory within the bounds of
//! [`super::sdram`]. What is offered there stays until it is taken.

mod answer;
mod checks;
mod crc32;
mod deframer;
mod encoder;
mod executor;
mod memory;
mod queue;
mod registers;
mod request;

use super::{UartReceiver, UartTransmitter};
use crate::support::prelude::*;
pub use answer::Answer;
pub use checks::Checks;
pub use crc32::Crc32;
pub use deframer::Deframer;
pub use encoder::Encoder;
pub use executor::Executor;
pub use memory::MemoryPort;
pub use queue::ByteQueue;
pub use registers::RegisterPort;
pub use request::RequestBuffer;

#[derive(LogicBlock)]
pub struct Bridge {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// The line from the host, and the one to it.
    pub rx: Signal<In, Bit>,
    pub tx: Signal<Out, Bit>,
    /// A frame with the right CRC came; for one beat.
    pub active: Signal<Out, Bit>,

    pub m_lite_awaddr: Signal<Out, Bits<12>>,
    pub m_lite_awprot: Signal<Out, Bits<3>>,
    pub m_lite_awvalid: Signal<Out, Bit>,
    pub m_lite_awready: Signal<In, Bit>,
    pub m_lite_wdata: Signal<Out, Bits<32>>,
    pub m_lite_wstrb: Signal<Out, Bits<4>>,
    pub m_lite_wvalid: Signal<Out, Bit>,
    pub m_lite_wready: Signal<In, Bit>,
    pub m_lite_bresp: Signal<In, Bits<2>>,
    pub m_lite_bvalid: Signal<In, Bit>,
    pub m_lite_bready: Signal<Out, Bit>,
    pub m_lite_araddr: Signal<Out, Bits<12>>,
    pub m_lite_arprot: Signal<Out, Bits<3>>,
    pub m_lite_arvalid: Signal<Out, Bit>,
    pub m_lite_arready: Signal<In, Bit>,
    pub m_lite_rdata: Signal<In, Bits<32>>,
    pub m_lite_rresp: Signal<In, Bits<2>>,
    pub m_lite_rvalid: Signal<In, Bit>,
    pub m_lite_rready: Signal<Out, Bit>,

    pub memory_valid: Signal<Out, Bit>,
    pub memory_ready: Signal<In, Bit>,
    pub memory_write: Signal<Out, Bit>,
    pub memory_address: Signal<Out, Bits<32>>,
    pub memory_write_data: Signal<Out, Bits<32>>,
    pub memory_read_valid: Signal<In, Bit>,
    pub memory_read_data: Signal<In, Bits<32>>,

    receiver: UartReceiver,
    queue: ByteQueue,
    deframer: Deframer,
    request: RequestBuffer,
    executor: Executor,
    registers: RegisterPort,
    memory: MemoryPort,
    answer: Answer,
    transmitter: UartTransmitter,
    all_bytes: Constant<Bits<4>>,
}

impl Bridge {
    /// A bridge to a line of so many beats a bit, 4 to 65536. It tells the host the clock, 1 to 65535 MHz, and
    /// the bytes of memory, a multiple of 4.
    pub fn new(clocks_per_bit: u32, clock_mhz: u32, memory_bytes: u32) -> Self {
        with_defaults!(
            clock, reset, rx, tx, active, m_lite_awaddr, m_lite_awprot, m_lite_awvalid, m_lite_awready,
            m_lite_wdata, m_lite_wstrb, m_lite_wvalid, m_lite_wready, m_lite_bresp, m_lite_bvalid,
            m_lite_bready, m_lite_araddr, m_lite_arprot, m_lite_arvalid, m_lite_arready, m_lite_rdata,
            m_lite_rresp, m_lite_rvalid, m_lite_rready, memory_valid, memory_ready, memory_write,
            memory_address, memory_write_data, memory_read_valid, memory_read_data, queue, deframer, request,
            registers, memory, answer;
            receiver: UartReceiver::new(clocks_per_bit),
            executor: Executor::new(clock_mhz, memory_bytes),
            transmitter: UartTransmitter::new(clocks_per_bit),
            all_bytes: Constant::new(0xf_u64.into()),
        )
    }
}

impl Logic for Bridge {
    #[hdl_gen]
    fn update(&mut self) {
        self.receiver.clock.next = self.clock.val();
        self.receiver.reset.next = self.reset.val();
        self.receiver.rx.next = self.rx.val();

        self.queue.clock.next = self.clock.val();
        self.queue.reset.next = self.reset.val();
        self.queue.valid.next = self.receiver.valid.val();
        self.queue.data.next = self.receiver.data.val();
        self.queue.fault.next = self.receiver.fault.val();

        self.deframer.clock.next = self.clock.val();
        self.deframer.reset.next = self.reset.val();
        self.deframer.hold.next = self.request.valid.val();
        self.deframer.valid.next = self.queue.read_valid.val();
        self.queue.read_ready.next = self.deframer.ready.val();
        self.deframer.data.next = self.queue.read_data.val();
        self.deframer.marked.next = self.queue.read_marked.val();

        self.request.clock.next = self.clock.val();
        self.request.reset.next = self.reset.val();
        self.request.take.next = self.deframer.take.val();
        self.request.data.next = self.deframer.frame_data.val();
        self.request.ended.next = self.deframer.ended.val();
        self.request.whole.next = self.deframer.whole.val();
        self.request.done.next = self.executor.done.val();
        self.request.read_enable.next = self.memory.payload_enable.val();
        self.request.read_index.next = self.memory.payload_index.val();
        self.active.next = self.request.came.val();

        self.executor.clock.next = self.clock.val();
        self.executor.reset.next = self.reset.val();
        self.executor.came.next = self.request.came.val();
        self.executor.request_session.next = self.request.session.val();
        self.executor.request_kind.next = self.request.kind.val();
        self.executor.request_address.next = self.request.address.val();
        self.executor.request_value.next = self.request.value.val();
        self.executor.request_words.next = self.request.payload_words.val();
        self.executor.register_done.next = self.registers.done.val();
        self.executor.register_read_data.next = self.registers.read_data.val();
        self.executor.memory_busy.next = self.memory.busy.val();
        self.executor.answer_busy.next = self.answer.busy.val();
        self.executor.sum.next = self.answer.sum.val();

        self.registers.clock.next = self.clock.val();
        self.registers.reset.next = self.reset.val();
        self.registers.start.next = self.executor.register_start.val();
        self.registers.write.next = self.executor.register_write.val();
        self.registers.address.next = self.executor.register_address.val();
        self.registers.write_data.next = self.executor.register_write_data.val();
        self.m_lite_awaddr.next = self.registers.awaddr.val();
        self.m_lite_awprot.next = 0.into();
        self.m_lite_awvalid.next = self.registers.awvalid.val();
        self.registers.awready.next = self.m_lite_awready.val();
        self.m_lite_wdata.next = self.registers.wdata.val();
        self.m_lite_wstrb.next = self.all_bytes.val();
        self.m_lite_wvalid.next = self.registers.wvalid.val();
        self.registers.wready.next = self.m_lite_wready.val();
        self.registers.bvalid.next = self.m_lite_bvalid.val();
        self.m_lite_bready.next = self.registers.bready.val();
        self.m_lite_araddr.next = self.registers.araddr.val();
        self.m_lite_arprot.next = 0.into();
        self.m_lite_arvalid.next = self.registers.arvalid.val();
        self.registers.arready.next = self.m_lite_arready.val();
        self.registers.rdata.next = self.m_lite_rdata.val();
        self.registers.rvalid.next = self.m_lite_rvalid.val();
        self.m_lite_rready.next = self.registers.rready.val();

        self.memory.clock.next = self.clock.val();
        self.memory.reset.next = self.reset.val();
        self.memory.start.next = self.executor.memory_start.val();
        self.memory.write.next = self.executor.memory_write.val();
        self.memory.word_address.next = self.executor.memory_word_address.val();
        self.memory.words.next = self.executor.memory_words.val();
        self.memory.payload_data.next = self.request.read_data.val();
        self.memory.read_ready.next = self.answer.word_ready.val();
        self.memory_valid.next = self.memory.memory_valid.val();
        self.memory.memory_ready.next = self.memory_ready.val();
        self.memory_write.next = self.memory.memory_write.val();
        self.memory_address.next = self.memory.memory_address.val();
        self.memory_write_data.next = self.memory.memory_write_data.val();
        self.memory.memory_read_valid.next = self.memory_read_valid.val();
        self.memory.memory_read_data.next = self.memory_read_data.val();

        self.answer.clock.next = self.clock.val();
        self.answer.reset.next = self.reset.val();
        self.answer.start.next = self.executor.answer_start.val();
        self.answer.session.next = self.executor.answer_session.val();
        self.answer.kind.next = self.executor.answer_kind.val();
        self.answer.address.next = self.executor.answer_address.val();
        self.answer.value.next = self.executor.answer_value.val();
        self.answer.payload_words.next = self.executor.answer_words.val();
        self.answer.clear.next = self.executor.sum_clear.val();
        self.answer.word_valid.next = self.memory.read_valid.val();
        self.answer.word.next = self.memory.read_data.val();

        self.transmitter.clock.next = self.clock.val();
        self.transmitter.reset.next = self.reset.val();
        self.transmitter.valid.next = self.answer.byte_valid.val();
        self.answer.byte_ready.next = self.transmitter.ready.val();
        self.transmitter.data.next = self.answer.byte_data.val();
        self.tx.next = self.transmitter.tx.val();
    }
}
