mod trl;

use super::*;

use super::cispo::Cispo;
use super::sapo::Sapo;

const CLIP: Clip = Clip { low: 0.2, high: 0.28, max: None };
const STAR: Objective<'static> = Objective::clipped(0.2, 0.28);

fn with(surrogate: Surrogate) -> Objective<'static> {
    Objective { surrogate, ..STAR }
}

/// Loss and gradient of the logits for one token of probability `now`, sampled with probability `then`.
fn one_token(objective: Objective<'_>, now: f64, then: f64, advantage: f32) -> (f64, Vec<f64>, LossSums) {
    let logits = Tensor::from_slice(&[now.ln() as f32, (1.0 - now).ln() as f32]).unsqueeze(0);
    let float = |value: f32| Tensor::from_slice(&[value]);
    let sampled = Sampled {
        rows: Tensor::from_slice(&[0i64]),
        targets: Tensor::from_slice(&[0i64]),
        old: float(then.ln() as f32),
        advantages: float(advantage),
        weights: float(1.0),
        start: None,
        sequences: None,
    };
    let distribution = Distribution::of(logits, 1.0);
    let terms = objective.terms(&distribution, &sampled);
    let gradient = terms.gradient(distribution, &sampled, Kind::Float);
    let gradient = vec![gradient.double_value(&[0, 0]), gradient.double_value(&[0, 1])];
    (terms.loss.double_value(&[]), gradient, terms.sums(&sampled, objective.surrogate.bounds()))
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
}

#[test]
fn on_policy_the_gradient_is_that_of_advantage_times_log_probability() {
    let (loss, gradient, sums) = one_token(STAR, 0.25, 0.25, 2.0);
    close(loss, -2.0);
    // d(-A log p)/d logits = -A (onehot - p).
    close(gradient[0], -2.0 * 0.75);
    close(gradient[1], 2.0 * 0.75);
    close(sums.ratio_off_max, 0.0);
}

#[test]
fn a_ratio_past_the_bound_in_the_direction_of_the_advantage_gets_no_gradient() {
    let (loss, gradient, sums) = one_token(STAR, 0.5, 0.25, 1.0);
    close(loss, -1.28);
    close(gradient[0], 0.0);
    assert_eq!((sums.clipped_low, sums.clipped_high), (0, 1));
    let (loss, gradient, sums) = one_token(STAR, 0.1, 0.25, -1.0);
    close(loss, 0.8);
    close(gradient[0], 0.0);
    assert_eq!((sums.clipped_low, sums.clipped_high), (1, 0));
}

#[test]
fn a_ratio_past_the_bound_against_the_advantage_keeps_its_gradient() {
    let (loss, gradient, _) = one_token(STAR, 0.5, 0.25, -1.0);
    close(loss, 2.0);
    // d(ratio)/d logit = ratio (1 - p) = 2 * 0.5.
    close(gradient[0], 1.0);
}

#[test]
fn the_entropy_bonus_pushes_towards_the_uniform_distribution() {
    let bonus = Objective { entropy_bonus: 0.1, ..STAR };
    let (loss, gradient, sums) = one_token(bonus, 0.25, 0.25, 0.0);
    let entropy = -(0.25f64 * 0.25f64.ln() + 0.75 * 0.75f64.ln());
    close(loss, -0.1 * entropy);
    close(sums.entropy, entropy);
    assert!(gradient[0] < 0.0 && gradient[1] > 0.0);
}

#[test]
fn a_bound_on_both_sides_also_holds_a_ratio_against_the_advantage() {
    let two_sided = with(Surrogate::Clip(Clip { max: Some(1.5), ..CLIP }));
    let (loss, gradient, _) = one_token(two_sided, 0.5, 0.25, -1.0);
    close(loss, 1.5);
    close(gradient[0], 0.0);
}

#[test]
fn cispo_keeps_the_gradient_of_a_clipped_token_at_the_bounds_weight() {
    // The ratio is 2 and the bound 1.28: -1.28 ln 0.5, and d ln p/d logit = 1 - p.
    let (loss, gradient, sums) = one_token(with(Surrogate::Cispo(Cispo { high: 0.28 })), 0.5, 0.25, 1.0);
    close(loss, -1.28 * 0.5f64.ln());
    close(gradient[0], -1.28 * 0.5);
    assert_eq!((sums.clipped_low, sums.clipped_high), (0, 1));
}

#[test]
fn sapos_gate_is_soft_and_narrower_against_bad_tokens() {
    let sapo = with(Surrogate::Sapo(Sapo { positive: 1.0, negative: 2.0 }));
    // At ratio 1 the gate gives 2 over its temperature, and the gradient of the ratio itself.
    let (loss, gradient, _) = one_token(sapo, 0.25, 0.25, 1.0);
    close(loss, -2.0);
    close(gradient[0], -0.75);
    // At ratio 2 with temperature 2: 4/2 sigmoid(2), and d/d logit = 4 s (1 - s) * ratio (1 - p).
    let sigmoid = 1.0 / (1.0 + (-2.0f64).exp());
    let (loss, gradient, sums) = one_token(sapo, 0.5, 0.25, -1.0);
    close(loss, 2.0 * sigmoid);
    close(gradient[0], 4.0 * sigmoid * (1.0 - sigmoid));
    assert_eq!((sums.clipped_low, sums.clipped_high), (0, 0));
}

#[test]
fn k3_is_zero_where_nothing_moved_and_pulls_back_where_something_did() {
    let now = Tensor::from_slice(&[0.5f32, 0.5]).log().set_requires_grad(true);
    let start = Tensor::from_slice(&[0.5f32, 0.25]).log();
    let estimate = k3(&now, &start);
    close(estimate.double_value(&[0]), 0.0);
    // Ratio 1/2: 1/2 - 1 + ln 2, and d/d ln p = 1 - ratio.
    close(estimate.double_value(&[1]), 2.0f64.ln() - 0.5);
    estimate.sum(Kind::Float).backward();
    close(now.grad().double_value(&[0]), 0.0);
    close(now.grad().double_value(&[1]), 0.5);
}
