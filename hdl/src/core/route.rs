//! Route engine: gate logits from the scratchpad into the router.

use super::job::{JOB, field, product};
use super::reader::Reader;
use crate::router::Router;
use crate::support::prelude::*;

/// Streams the logits of a set into the [`Router`], whose other ports pass
/// through. `busy` while logits are read; the router may go on when it has
/// fallen (`pending`).
#[derive(LogicBlock)]
pub struct Route<const V: usize, const WORD: usize, const EXPERTS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Takes `job`; while neither busy nor pending.
    pub start: Signal<In, Bit>,
    pub job: Signal<In, Bits<JOB>>,
    pub busy: Signal<Out, Bit>,
    /// A token is being routed, or queues are being drained.
    pub pending: Signal<Out, Bit>,
    pub overflow: Signal<Out, Bit>,
    /// Only the first `available` words of the logits are written.
    pub limited: Signal<In, Bit>,
    pub available: Signal<In, Bits<20>>,
    /// Ends the filling of the queues.
    pub close: Signal<In, Bit>,

    pub read_valid: Signal<Out, Bit>,
    pub read_ready: Signal<In, Bit>,
    pub read_address: Signal<Out, Bits<20>>,
    pub read_data: Signal<In, Bits<WORD>>,

    /// A bit for each expert that has tokens to come.
    pub waiting: Signal<Out, Bits<EXPERTS>>,
    pub expert_valid: Signal<Out, Bit>,
    pub expert_ready: Signal<In, Bit>,
    pub expert_last: Signal<Out, Bit>,
    pub expert_none: Signal<Out, Bit>,
    pub rewind: Signal<In, Bit>,
    pub visit_valid: Signal<Out, Bit>,
    pub visit_ready: Signal<In, Bit>,
    pub visit_token: Signal<Out, Bits<16>>,
    pub visit_score: Signal<Out, Bits<16>>,
    pub visit_last: Signal<Out, Bit>,

    work: Register<Bits<JOB>>,
    logits: Slice<JOB, 32>,
    first_token: Slice<JOB, 16>,
    experts: Slice<JOB, 16>,
    top_k: Slice<JOB, 8>,
    append: Slice<JOB, 8>,
    words: Slice<JOB, 20>,
    begins: Register<Bit>,
    reader: Reader<WORD>,
    router: Router<V, WORD, EXPERTS>,
}

impl<const V: usize, const WORD: usize, const EXPERTS: usize> Route<V, WORD, EXPERTS> {
    /// With room for `nodes` visits.
    pub fn new(nodes: usize) -> Self {
        with_defaults!(
            clock, reset, start, job, busy, pending, overflow, limited, available, close, read_valid, read_ready,
            read_address, read_data, waiting, expert_valid, expert_ready, expert_last, expert_none, rewind,
            visit_valid, visit_ready, visit_token, visit_score, visit_last, work, begins, reader;
            logits: field("route", "logits"),
            first_token: field("route", "first_token"),
            experts: field("route", "experts"),
            top_k: field("route", "top_k"),
            append: field("route", "append"),
            words: product(0),
            router: Router::new(nodes),
        )
    }
}

impl<const V: usize, const WORD: usize, const EXPERTS: usize> Logic for Route<V, WORD, EXPERTS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, work, begins);
        self.logits.bus.next = self.work.q.val();
        self.first_token.bus.next = self.work.q.val();
        self.experts.bus.next = self.work.q.val();
        self.top_k.bus.next = self.work.q.val();
        self.append.bus.next = self.work.q.val();
        self.words.bus.next = self.work.q.val();
        self.reader.clock.next = self.clock.val();
        self.reader.reset.next = self.reset.val();
        self.router.clock.next = self.clock.val();
        self.router.reset.next = self.reset.val();

        self.reader.start.next = self.begins.q.val();
        self.reader.address.next = self.logits.bits.val().get_bits::<20>(0);
        self.reader.count.next = self.words.bits.val();
        self.reader.limited.next = self.limited.val();
        self.reader.available.next = self.available.val();
        self.read_valid.next = self.reader.read_valid.val();
        self.reader.read_ready.next = self.read_ready.val();
        self.read_address.next = self.reader.read_address.val();
        self.reader.read_data.next = self.read_data.val();

        self.router.experts.next = self.experts.bits.val().get_bits::<7>(0);
        self.router.top_k.next = self.top_k.bits.val().get_bits::<7>(0);
        self.router.start.next = self.begins.q.val();
        self.router.clear.next = self.begins.q.val() & !self.append.bits.val().any();
        self.router.first_token.next = self.first_token.bits.val();
        self.router.close.next = self.close.val();
        self.router.logits_valid.next = self.reader.word_valid.val();
        self.reader.word_ready.next = self.router.logits_ready.val();
        self.router.logits_data.next = self.reader.word_data.val();
        self.busy.next = self.begins.q.val() | self.reader.busy.val();
        self.pending.next = self.router.busy.val();
        self.overflow.next = self.router.overflow.val();

        // Not those of routes before, which this one may be about to forget.
        self.waiting.next = self.router.waiting.val();
        if self.begins.q.val() {
            self.waiting.next = 0.into();
        }
        self.expert_valid.next = self.router.expert_valid.val();
        self.router.expert_ready.next = self.expert_ready.val();
        self.expert_last.next = self.router.expert_last.val();
        self.expert_none.next = self.router.expert_none.val();
        self.router.rewind.next = self.rewind.val();
        self.visit_valid.next = self.router.visit_valid.val();
        self.router.visit_ready.next = self.visit_ready.val();
        self.visit_token.next = self.router.visit_token.val();
        self.visit_score.next = self.router.visit_score.val();
        self.visit_last.next = self.router.visit_last.val();

        self.begins.d.next = self.start.val();
        if self.start.val() {
            self.work.d.next = self.job.val();
        }
        if self.reset.val() {
            self.begins.d.next = false;
        }
    }
}
