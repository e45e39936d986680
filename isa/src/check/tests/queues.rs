//! Routes fill the token queues, experts empty them.

use super::*;

/// Appends the second set of two tokens.
fn append() -> Route {
    Route { logits: 2, first_token: 2, append: 1, ..route() }
}

#[test]
fn two_sets_are_routed_and_drained_together() {
    let both = Experts { tokens: 4, ..experts() };
    prepared().wait(route()).then(append()).then(both).assert_legal();
}

#[test]
fn experts_need_a_route_each_time() {
    let reason = "experts without a route before it";
    prepared().wait(experts()).assert_refused(reason);
    prepared().wait(route()).then(experts()).wait(experts()).assert_refused(reason);
    prepared().wait(route()).then(experts()).then(route()).wait(experts()).assert_legal();
}

#[test]
fn only_a_route_can_be_appended_to() {
    let reason = "appends to queues that no route has filled";
    prepared().wait(append()).assert_refused(reason);
    prepared().wait(route()).then(experts()).then(append()).assert_refused(reason);
}

#[test]
fn all_sets_choose_from_the_same_experts() {
    let other = Route { experts: 3, ..append() };
    prepared().wait(route()).then(other).assert_refused("appends to queues of 4 experts with 3 experts");
    let other = Experts { experts: 3, ..experts() };
    prepared().wait(route()).then(other).assert_refused("3 experts, but 4 were routed");
}

#[test]
fn a_token_is_routed_once() {
    for (first_token, range) in [(0, "0..2"), (1, "1..3")] {
        let reason = format!("tokens {range} overlap tokens 0..2, already in the queues");
        prepared().wait(route()).then(Route { first_token, ..append() }).assert_refused(&reason);
    }
    // Emptied queues take the same tokens again.
    prepared().wait(route()).then(route()).then(experts()).assert_legal();
}

#[test]
fn routed_tokens_are_among_those_of_the_experts() {
    let late = Route { first_token: 1, ..route() };
    prepared().wait(late).then(experts()).assert_refused("routed tokens 1..3 lie beyond its 2 tokens");
    let last = Route { first_token: u16::MAX, ..route() };
    prepared()
        .wait(last)
        .then(experts())
        .assert_refused("routed tokens 65535..65537 lie beyond its 2 tokens");
}

#[test]
fn queues_have_a_number_of_nodes() {
    // tiny has 256: 64 tokens at 4 experts fill them.
    let full = Route { tokens: 64, top_k: 4, ..route() };
    prepared().wait(full).assert_legal();
    let more = Route { first_token: 64, tokens: 1, top_k: 1, ..append() };
    prepared().wait(full).then(more).assert_refused("needs 257 queue nodes of 256");
    // A route that empties the queues has them all again.
    prepared().wait(full).then(full).assert_legal();
}
