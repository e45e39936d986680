//! What ends a program before its end: time that runs out, an engine's fault, a stop.

use edge_moe_isa::registers::ErrorCode;

use crate::support::prelude::*;

/// Things that move while a program gets on: beats, entries, descriptors, words to memory, to the scratchpad
/// and the residual memory, rows, keys.
pub const MOVES: usize = 8;

/// Reports of engines stand in registers here. If several come at once, the later one of this order is told:
/// time-out, queues, read window, write response, read response, stop.
#[derive(LogicBlock)]
pub struct Faults {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub stop: Signal<In, Bit>,
    /// Beats in which nothing moves until the time is out.
    pub timeout: Signal<In, Bits<32>>,
    /// The count starts anew.
    pub rewind: Signal<In, Bit>,
    /// What moved in this beat: see [`MOVES`].
    pub moves: Signal<In, Bits<MOVES>>,

    pub overflow: Signal<In, Bit>,
    pub fetch_fault: Signal<In, Bit>,
    pub write_error: Signal<In, Bit>,
    pub read_error: Signal<In, Bit>,

    /// Something went wrong, and what: `edge_moe_isa::registers::ErrorCode`.
    pub fault: Signal<Out, Bit>,
    pub code: Signal<Out, Bits<4>>,

    moved: Register<Bits<MOVES>>,
    idle_cycles: Register<Bits<32>>,
    timed_out: Register<Bit>,
    queues: Register<Bit>,
    window: Register<Bit>,
    write: Register<Bit>,
    read: Register<Bit>,
    code_read_window: Constant<Bits<4>>,
    code_read_response: Constant<Bits<4>>,
    code_write_response: Constant<Bits<4>>,
    code_timeout: Constant<Bits<4>>,
    code_queues: Constant<Bits<4>>,
    code_stopped: Constant<Bits<4>>,
}

impl Default for Faults {
    fn default() -> Self {
        let code = |error: ErrorCode| Constant::new((error as u64).into());
        with_defaults!(
            clock, reset, stop, timeout, rewind, moves, overflow, fetch_fault, write_error, read_error, fault, code,
            moved, idle_cycles, timed_out, queues, window, write, read;
            code_read_window: code(ErrorCode::ReadWindow),
            code_read_response: code(ErrorCode::ReadResponse),
            code_write_response: code(ErrorCode::WriteResponse),
            code_timeout: code(ErrorCode::Timeout),
            code_queues: code(ErrorCode::Queues),
            code_stopped: code(ErrorCode::Stopped),
        )
    }
}

impl Logic for Faults {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, moved, idle_cycles, timed_out, queues, window, write, read);
        self.moved.d.next = self.moves.val();
        self.queues.d.next = self.overflow.val();
        self.window.d.next = self.fetch_fault.val();
        self.write.d.next = self.write_error.val();
        self.read.d.next = self.read_error.val();

        self.idle_cycles.d.next = self.idle_cycles.q.val() + 1;
        if self.moved.q.val().any() | self.rewind.val() | self.reset.val() {
            self.idle_cycles.d.next = 0.into();
        }
        self.timed_out.d.next = self.idle_cycles.q.val() == self.timeout.val();

        self.fault.next = self.timed_out.q.val()
            | self.queues.q.val()
            | self.window.q.val()
            | self.write.q.val()
            | self.read.q.val()
            | self.stop.val();
        self.code.next = self.code_timeout.val();
        if self.queues.q.val() {
            self.code.next = self.code_queues.val();
        }
        if self.window.q.val() {
            self.code.next = self.code_read_window.val();
        }
        if self.write.q.val() {
            self.code.next = self.code_write_response.val();
        }
        if self.read.q.val() {
            self.code.next = self.code_read_response.val();
        }
        if self.stop.val() {
            self.code.next = self.code_stopped.val();
        }
    }
}
