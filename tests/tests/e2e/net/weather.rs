//! Networks that are bad and do not fail.

use std::time::Duration;

use xdist_tests::{Env, Invocation, Machine, Relay, Server, Suite};

const MANY: &str = "
import pytest

@pytest.mark.parametrize('number', range(120))
def test_says_a_lot(number):
    print('word ' * 200)
";

/// One packet in twenty or so is lost, each message takes 25 to 225 ms in an order of its own, and 1 Mbit is a second's work.
#[test]
fn a_narrow_uneven_and_lossy_way_is_no_loss() {
    let (machine, suite, far) = (Machine::start(), Suite::one(MANY), Suite::one(MANY));
    let server = Server::on(&machine, &suite, &far);
    // Neighbours among the numbers are far apart in the result.
    let relay =
        Relay::start(server.address(), |number| Duration::from_millis(25 + number.wrapping_mul(0x9e37_79b9) % 201));
    machine.narrow("1mbit");
    machine.lose(3);
    let spec = server.spec_by(&relay.address());
    let run = Invocation::xdist(&Env::usual(), &suite).args(["-rP", "--tx", &format!("2*{spec}")]);
    let outcome = run.var("XDIST_TOKEN_FILE", server.token()).junit().limit(120).run();
    outcome.expect_code(0).expect_text("120 passed").expect_no_text("is lost").expect_no_survivors();
    assert_eq!(suite.truth().ids().len(), 120, "{}", outcome.describe());
    assert_eq!(suite.junit().verdicts().len(), 120, "{}", outcome.describe());
    server.expect_idle();
}
