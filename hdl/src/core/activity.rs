//! What the lanes do: the code that the counters and the status register show.

use edge_moe_isa::registers::Activity as Code;

use crate::support::prelude::*;

/// Says what the lanes do, or what they wait for: a beat goes before a busy engine, an engine before what is
/// behind the lanes. What comes in is as the dispatcher holds it, but for `beat` and the waits, which are put into
/// registers here.
#[derive(LogicBlock)]
pub struct Activity {
    pub clock: Signal<In, Clock>,

    /// What the lanes do, and what a busy matrix engine or norm waits for.
    pub beat: Signal<In, Bit>,
    pub wait_rows: Signal<In, Bit>,
    pub wait_input: Signal<In, Bit>,
    pub wait_room: Signal<In, Bit>,
    pub wait_visit: Signal<In, Bit>,
    pub norm_wait_rows: Signal<In, Bit>,

    /// Who was busy a beat ago.
    pub matrix_works: Signal<In, Bit>,
    pub attention_works: Signal<In, Bit>,
    pub copy_works: Signal<In, Bit>,
    pub norm_works: Signal<In, Bit>,
    pub route_works: Signal<In, Bit>,
    /// Nothing was behind the lanes.
    pub all_settled: Signal<In, Bit>,

    /// What the lanes did a beat ago: `edge_moe_isa::registers::Activity`.
    pub code: Signal<Out, Bits<4>>,

    lanes_beat: Register<Bit>,
    waited_rows: Register<Bit>,
    waited_input: Register<Bit>,
    waited_room: Register<Bit>,
    waited_visit: Register<Bit>,
    waited_norm_rows: Register<Bit>,
    now_beat: Constant<Bits<4>>,
    now_rows: Constant<Bits<4>>,
    now_results: Constant<Bits<4>>,
    now_attention: Constant<Bits<4>>,
    now_norm: Constant<Bits<4>>,
    now_route: Constant<Bits<4>>,
    now_copy: Constant<Bits<4>>,
    now_settle: Constant<Bits<4>>,
    now_fetch: Constant<Bits<4>>,
}

impl Default for Activity {
    fn default() -> Self {
        let now = |code: Code| Constant::new((code as u64).into());
        with_defaults!(
            clock, beat, wait_rows, wait_input, wait_room, wait_visit, norm_wait_rows, matrix_works,
            attention_works, copy_works, norm_works, route_works, all_settled, code, lanes_beat, waited_rows,
            waited_input, waited_room, waited_visit, waited_norm_rows;
            now_beat: now(Code::Beat),
            now_rows: now(Code::Rows),
            now_results: now(Code::Results),
            now_attention: now(Code::Attention),
            now_norm: now(Code::Norm),
            now_route: now(Code::Route),
            now_copy: now(Code::Copy),
            now_settle: now(Code::Settle),
            now_fetch: now(Code::Fetch),
        )
    }
}

impl Logic for Activity {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            lanes_beat,
            waited_rows,
            waited_input,
            waited_room,
            waited_visit,
            waited_norm_rows
        );
        self.lanes_beat.d.next = self.beat.val();
        self.waited_rows.d.next = self.wait_rows.val();
        self.waited_input.d.next = self.wait_input.val();
        self.waited_room.d.next = self.wait_room.val();
        self.waited_visit.d.next = self.wait_visit.val();
        self.waited_norm_rows.d.next = self.norm_wait_rows.val();

        self.code.next = self.now_fetch.val();
        if self.lanes_beat.q.val() {
            self.code.next = self.now_beat.val();
        } else if self.attention_works.val() {
            self.code.next = self.now_attention.val();
        } else if self.matrix_works.val() {
            self.code.next = self.now_settle.val();
            if self.waited_rows.q.val() {
                self.code.next = self.now_rows.val();
            } else if self.waited_input.q.val() {
                self.code.next = self.now_norm.val();
            } else if self.waited_visit.q.val() {
                self.code.next = self.now_route.val();
            } else if self.waited_room.q.val() {
                self.code.next = self.now_results.val();
            }
        } else if self.copy_works.val() {
            self.code.next = self.now_copy.val();
        } else if self.norm_works.val() {
            self.code.next = self.now_norm.val();
            if self.waited_norm_rows.q.val() {
                self.code.next = self.now_rows.val();
            }
        } else if self.route_works.val() {
            self.code.next = self.now_route.val();
        } else if !self.all_settled.val() {
            self.code.next = self.now_settle.val();
        }
    }
}
