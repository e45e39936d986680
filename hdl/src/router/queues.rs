//! A queue of tokens per expert.
//!
//! Twin of `edge_moe_kernels::route::Queues`. A queue is a chain of nodes, each
//! a visit (token and score) and a link to the next node; nodes are given out
//! in ascending order. A table holds first node, last node and count of each
//! queue; its entries count only where `waiting` has a bit, so that all queues
//! are emptied at once.
//!
//! Visits and links stand in two memories side by side, for an append writes
//! the visit of the new node and the link of the last one in the same beat.
//!
//! *Filling*: an append a beat, never refused, done in its second beat. One
//! that finds no node left is dropped and sets `overflow`.
//! *Draining*: begins with `close`; two beats later the first expert is
//! offered, two beats after an offer is taken the next one. Visits come a beat
//! after `rewind`, one a beat.

use crate::support::prelude::*;

#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum Phase {
    Fill,
    Select,
    Offer,
}

#[derive(LogicBlock)]
pub struct Queues<const EXPERTS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,

    /// Empties all queues and clears `overflow`; not while draining.
    pub clear: Signal<In, Bit>,
    /// Appends a visit; not while draining, nor twice to an expert in successive beats.
    pub append: Signal<In, Bit>,
    pub append_expert: Signal<In, Bits<6>>,
    pub append_token: Signal<In, Bits<16>>,
    pub append_score: Signal<In, Bits<16>>,
    /// A visit was dropped since reset or `clear`.
    pub overflow: Signal<Out, Bit>,

    /// Begins to drain; the last append was at least a beat ago.
    pub close: Signal<In, Bit>,
    /// From the beat after `close` until the last offer is taken.
    pub draining: Signal<Out, Bit>,
    /// The expert that is offered and those still to come.
    pub waiting: Signal<Out, Bits<EXPERTS>>,

    /// Experts with visits, ascending.
    pub expert_valid: Signal<Out, Bit>,
    /// Takes the offer, whether its visits were walked or not.
    pub expert_ready: Signal<In, Bit>,
    pub expert_index: Signal<Out, Bits<6>>,
    /// Its visits.
    pub expert_count: Signal<Out, Bits<16>>,
    /// No expert follows.
    pub expert_last: Signal<Out, Bit>,
    /// No expert has a visit: the only offer, with a count of zero.
    pub expert_none: Signal<Out, Bit>,

    /// Walks the queue of the expert that is offered, from its first visit.
    pub rewind: Signal<In, Bit>,
    pub visit_valid: Signal<Out, Bit>,
    pub visit_ready: Signal<In, Bit>,
    pub visit_token: Signal<Out, Bits<16>>,
    pub visit_score: Signal<Out, Bits<16>>,
    pub visit_last: Signal<Out, Bit>,

    /// Token in the low half, score in the high half.
    visits: Ram<32, 16>,
    links: Ram<16, 16>,
    /// First node, last node, count, from low to high.
    table_: Ram<48, 6>,
    used: Register<Bits<EXPERTS>>,
    next_node: Register<Bits<16>>,
    overflowed: Register<Bit>,

    // The second beat of an append.
    adding: Register<Bit>,
    expert: Register<Bits<6>>,
    token: Register<Bits<16>>,
    score: Register<Bits<16>>,
    of_expert: Signal<Local, Bits<EXPERTS>>,
    follows: Signal<Local, Bit>,
    room: Signal<Local, Bit>,
    entry: Concat<Bits<16>, 3, 48>,
    visit: Concat<Bits<16>, 2, 32>,
    first_node: Signal<Local, Bits<16>>,
    last_node: Signal<Local, Bits<16>>,
    count: Signal<Local, Bits<16>>,

    // Draining.
    phase: Register<Phase>,
    others: Signal<Local, Bits<EXPERTS>>,
    lowest: Signal<Local, Bits<EXPERTS>>,
    number: Concat<Bit, 6, 6>,
    index: Register<Bits<6>>,
    remaining_experts: Register<Bits<EXPERTS>>,
    offered: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    walk: Signal<Local, Bit>,
    advance: Signal<Local, Bit>,
    walking: Register<Bit>,
    remaining: Register<Bits<16>>,
    last_visit: Signal<Local, Bit>,

    /// Experts whose number has bit b.
    with_bit: [Constant<Bits<EXPERTS>>; 6],
    bit_0: Constant<Bits<EXPERTS>>,
    one: Constant<Bits<16>>,
    nodes: Constant<Bits<16>>,
}

impl<const EXPERTS: usize> Queues<EXPERTS> {
    /// Queues for `nodes` visits in all.
    pub fn new(nodes: usize) -> Self {
        assert!((1..=64).contains(&EXPERTS), "{EXPERTS} experts");
        assert!((1..1 << 16).contains(&nodes), "{nodes} nodes");
        let with_bit =
            |bit: usize| (0..EXPERTS).map(|expert| (expert as u64 >> bit & 1) << expert).sum::<u64>();
        Self {
            clock: Default::default(),
            reset: Default::default(),
            clear: Default::default(),
            append: Default::default(),
            append_expert: Default::default(),
            append_token: Default::default(),
            append_score: Default::default(),
            overflow: Default::default(),
            close: Default::default(),
            draining: Default::default(),
            waiting: Default::default(),
            expert_valid: Default::default(),
            expert_ready: Default::default(),
            expert_index: Default::default(),
            expert_count: Default::default(),
            expert_last: Default::default(),
            expert_none: Default::default(),
            rewind: Default::default(),
            visit_valid: Default::default(),
            visit_ready: Default::default(),
            visit_token: Default::default(),
            visit_score: Default::default(),
            visit_last: Default::default(),
            visits: Ram::new(nodes),
            links: Ram::new(nodes),
            table_: Ram::new(EXPERTS),
            used: Default::default(),
            next_node: Default::default(),
            overflowed: Default::default(),
            adding: Default::default(),
            expert: Default::default(),
            token: Default::default(),
            score: Default::default(),
            of_expert: Default::default(),
            follows: Default::default(),
            room: Default::default(),
            entry: Default::default(),
            visit: Default::default(),
            first_node: Default::default(),
            last_node: Default::default(),
            count: Default::default(),
            phase: Default::default(),
            others: Default::default(),
            lowest: Default::default(),
            number: Default::default(),
            index: Default::default(),
            remaining_experts: Default::default(),
            offered: Default::default(),
            taken: Default::default(),
            walk: Default::default(),
            advance: Default::default(),
            walking: Default::default(),
            remaining: Default::default(),
            last_visit: Default::default(),
            with_bit: from_fn(|bit| Constant::new(with_bit(bit).into())),
            bit_0: Constant::new(1_u64.into()),
            one: Constant::new(1_u64.into()),
            nodes: Constant::new((nodes as u64).into()),
        }
    }
}

impl<const EXPERTS: usize> Logic for Queues<EXPERTS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, used, next_node, overflowed, adding, expert, token, score, phase);
        dff_setup!(self, clock, index, remaining_experts, walking, remaining);
        self.visits.clock.next = self.clock.val();
        self.links.clock.next = self.clock.val();
        self.table_.clock.next = self.clock.val();

        // Append, first beat: look up the queue.
        self.adding.d.next = self.append.val();
        self.expert.d.next = self.append_expert.val();
        self.token.d.next = self.append_token.val();
        self.score.d.next = self.append_score.val();

        // Second beat: a node for the visit, linked to the last one if there is any.
        self.first_node.next = self.table_.read_data.val().get_bits::<16>(0);
        self.last_node.next = self.table_.read_data.val().get_bits::<16>(16);
        self.count.next = self.table_.read_data.val().get_bits::<16>(32);
        self.of_expert.next = self.bit_0.val() << self.expert.q.val();
        self.follows.next = (self.used.q.val() & self.of_expert.val()).any();
        self.room.next = self.next_node.q.val() != self.nodes.val();
        self.visit.lane[0].next = self.token.q.val();
        self.visit.lane[1].next = self.score.q.val();
        self.visits.write_enable.next = self.adding.q.val() & self.room.val();
        self.visits.write_address.next = self.next_node.q.val();
        self.visits.write_data.next = self.visit.bus.val();
        self.links.write_enable.next = self.adding.q.val() & self.room.val() & self.follows.val();
        self.links.write_address.next = self.last_node.val();
        self.links.write_data.next = self.next_node.q.val();
        self.entry.lane[0].next = self.next_node.q.val();
        self.entry.lane[1].next = self.next_node.q.val();
        self.entry.lane[2].next = self.one.val();
        if self.follows.val() {
            self.entry.lane[0].next = self.first_node.val();
            self.entry.lane[2].next = self.count.val() + 1;
        }
        self.table_.write_enable.next = self.adding.q.val() & self.room.val();
        self.table_.write_address.next = self.expert.q.val();
        self.table_.write_data.next = self.entry.bus.val();
        if self.adding.q.val() {
            if self.room.val() {
                self.next_node.d.next = self.next_node.q.val() + 1;
                self.used.d.next = self.used.q.val() | self.of_expert.val();
            } else {
                self.overflowed.d.next = true;
            }
        }
        self.overflow.next = self.overflowed.q.val();

        // Drain: the lowest expert that has visits, and whether others follow.
        self.others.next = self.used.q.val() & (self.used.q.val() - 1);
        self.lowest.next = self.used.q.val() & !self.others.val();
        for b in 0..6 {
            self.number.lane[b].next = (self.lowest.val() & self.with_bit[b].val()).any();
        }
        self.table_.read_enable.next = self.append.val();
        self.table_.read_address.next = self.append_expert.val();
        self.offered.next = false;
        match self.phase.q.val() {
            Phase::Fill => {
                if self.close.val() {
                    self.phase.d.next = Phase::Select;
                } else if self.clear.val() {
                    self.used.d.next = 0.into();
                    self.next_node.d.next = 0.into();
                    self.overflowed.d.next = false;
                }
            }
            Phase::Select => {
                self.table_.read_enable.next = true;
                self.table_.read_address.next = self.number.bus.val();
                self.index.d.next = self.number.bus.val();
                self.remaining_experts.d.next = self.others.val();
                self.phase.d.next = Phase::Offer;
            }
            Phase::Offer => {
                self.offered.next = true;
                if self.expert_ready.val() {
                    self.used.d.next = self.remaining_experts.q.val();
                    self.phase.d.next = Phase::Select;
                    if !self.remaining_experts.q.val().any() {
                        self.next_node.d.next = 0.into();
                        self.phase.d.next = Phase::Fill;
                    }
                }
            }
            _ => {
                self.phase.d.next = Phase::Fill;
            }
        }
        self.draining.next = self.phase.q.val() != Phase::Fill;
        self.waiting.next = self.used.q.val();
        self.expert_valid.next = self.offered.val();
        self.taken.next = self.offered.val() & self.expert_ready.val();
        self.expert_index.next = self.index.q.val();
        self.expert_last.next = !self.remaining_experts.q.val().any();
        self.expert_none.next = !self.used.q.val().any();
        self.expert_count.next = self.count.val();
        if self.expert_none.val() {
            self.expert_count.next = 0.into();
        }

        // Walk: the memories keep the visit until it is taken.
        self.walk.next = self.rewind.val() & self.offered.val() & !self.expert_none.val();
        self.last_visit.next = self.remaining.q.val() == self.one.val();
        self.advance.next = self.walking.q.val() & self.visit_ready.val() & !self.last_visit.val();
        self.visits.read_enable.next = self.walk.val() | self.advance.val();
        self.links.read_enable.next = self.walk.val() | self.advance.val();
        self.visits.read_address.next = self.links.read_data.val();
        self.links.read_address.next = self.links.read_data.val();
        if self.walking.q.val() & self.visit_ready.val() {
            self.remaining.d.next = self.remaining.q.val() - 1;
            self.walking.d.next = !self.last_visit.val();
        }
        if self.walk.val() {
            self.visits.read_address.next = self.first_node.val();
            self.links.read_address.next = self.first_node.val();
            self.remaining.d.next = self.count.val();
            self.walking.d.next = true;
        }
        if self.taken.val() {
            self.walking.d.next = false;
        }
        self.visit_valid.next = self.walking.q.val();
        self.visit_token.next = self.visits.read_data.val().get_bits::<16>(0);
        self.visit_score.next = self.visits.read_data.val().get_bits::<16>(16);
        self.visit_last.next = self.last_visit.val();

        if self.reset.val() {
            self.used.d.next = 0.into();
            self.next_node.d.next = 0.into();
            self.overflowed.d.next = false;
            self.adding.d.next = false;
            self.phase.d.next = Phase::Fill;
            self.walking.d.next = false;
        }
    }
}
