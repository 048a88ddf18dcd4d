//! Projections: products of states with weights that are learned.
//!
//! States are laid out once for all projections of them. What makes the states, a norm or a gate, may be one operation with them
//! (`aten/projections.cpp`): then it is not kept for the way back but made again, which is cheap beside a product. The gradient of a
//! weight is added up where it lies.

use std::ffi::{c_char, c_int};
use std::ptr;

use tch::{Kind, Tensor};

use crate::aten::{RawTensor, all_made, raw};
use crate::fused;

unsafe extern "C" {
    fn ludus_projections_linear(
        how: c_int,
        first: RawTensor,
        second: RawTensor,
        epsilon: f64,
        count: i64,
        masters: *const RawTensor,
        weights: *const RawTensor,
        bias_masters: *const RawTensor,
        biases: *const RawTensor,
        made: *mut RawTensor,
    ) -> *mut c_char;
}

/// A parameter in the kind of computation, and where its gradient goes.
pub struct Parameter {
    /// As it was when this was made or refreshed, or the master's own memory where the kind is the same.
    pub numbers: Tensor,
    /// In float32; none where nothing is learned.
    pub master: Option<Tensor>,
}

impl Parameter {
    /// A master in a kind of computation. It learns if the master does.
    pub fn of(master: &Tensor, kind: Kind) -> Parameter {
        let learned = master.requires_grad().then(|| master.shallow_clone());
        Parameter { numbers: master.detach().to_kind(kind), master: learned }
    }

    /// Takes the master's numbers over, in the memory that is there.
    pub fn refresh(&mut self) {
        if let Some(master) = self.master.as_ref().filter(|master| master.kind() != self.numbers.kind()) {
            self.numbers.copy_(&master.detach());
        }
    }
}

/// What enters products, `[rows, in]`. What is normed or let through by a gate is made again on the way back instead of being kept;
/// both are for a CPU (see `fused`).
#[derive(Clone, Copy)]
pub enum Entering<'a> {
    States(&'a Tensor),
    /// [`fused::norm`] of states, in the kind of the products.
    Normed {
        states: &'a Tensor,
        weight: &'a Tensor,
        epsilon: f64,
    },
    /// [`fused::gated`].
    Gated {
        gate: &'a Tensor,
        up: &'a Tensor,
    },
}

/// `states weight^T + bias`, `[rows, in]` to `[rows, out]`.
pub fn linear(states: &Tensor, weight: &Parameter, bias: Option<&Parameter>) -> Tensor {
    let [product] = linear_each(Entering::States(states), [(weight, bias)]);
    product
}

/// [`linear`] of the same states with each of these weights and biases.
pub fn linear_each<const N: usize>(
    entering: Entering<'_>,
    projections: [(&Parameter, Option<&Parameter>); N],
) -> [Tensor; N] {
    let first = match entering {
        Entering::States(states) | Entering::Normed { states, .. } => states,
        Entering::Gated { gate, .. } => gate,
    };
    for (weight, bias) in projections {
        let (weight, bias) = (&weight.numbers, bias.map(|bias| &bias.numbers));
        let kind = if matches!(entering, Entering::Normed { .. }) { weight.kind() } else { first.kind() };
        let fits = |tensor: &Tensor| tensor.dim() == 2 && tensor.device() == first.device();
        assert!(fits(first) && fits(weight) && weight.kind() == kind, "factors of a product");
        assert!(first.size()[1] == weight.size()[1], "factors of a product");
        let fits = |bias: &Tensor| bias.kind() == kind && bias.size() == [weight.size()[0]];
        assert!(bias.is_none_or(fits), "a bias");
    }
    let is_made = |tensors: &[&Tensor]| {
        let weights = projections.iter().map(|(weight, _)| &weight.numbers);
        weights.chain(tensors.iter().copied()).all(|tensor| fused::can(tensor.device(), tensor.kind()))
    };
    let (how, second, epsilon) = match entering {
        Entering::States(_) => (0, None, 0.0),
        Entering::Normed { states, weight, epsilon } => {
            assert!(is_made(&[states, weight]) && weight.kind() == Kind::Float, "a norm beside a product");
            assert!(weight.size() == states.size()[1..], "a norm of these states");
            (1, Some(weight), epsilon)
        }
        Entering::Gated { gate, up } => {
            assert!(is_made(&[gate, up]) && gate.kind() == up.kind(), "a gate beside a product");
            assert!(gate.size() == up.size(), "a gate of what it lets through");
            (2, Some(up), 0.0)
        }
    };
    let raw_or_null = |tensor: Option<&Tensor>| tensor.map_or(ptr::null_mut(), raw);
    let masters = projections.map(|(weight, _)| raw_or_null(weight.master.as_ref()));
    let weights = projections.map(|(weight, _)| raw(&weight.numbers));
    let bias_masters = projections.map(|(_, bias)| raw_or_null(bias.and_then(|bias| bias.master.as_ref())));
    let biases = projections.map(|(_, bias)| raw_or_null(bias.map(|bias| &bias.numbers)));
    // SAFETY: tensors that live during the call, whose shapes and kinds fit together, N of each.
    all_made(|made| unsafe {
        ludus_projections_linear(
            how,
            raw(first),
            raw_or_null(second),
            epsilon,
            N as i64,
            masters.as_ptr(),
            weights.as_ptr(),
            bias_masters.as_ptr(),
            biases.as_ptr(),
            made,
        )
    })
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// Numbers of bfloat16 without a pattern that matters.
    fn narrow(rows: i64, columns: i64, from: i64) -> Tensor {
        let count = Tensor::arange_start(from, from + rows * columns, (Kind::Double, Device::Cpu));
        (count * 0.7).sin().reshape([rows, columns]).to_kind(Kind::BFloat16)
    }

    #[test]
    fn a_narrow_product_is_that_of_its_numbers_and_so_are_its_gradients() {
        let wide = |tensor: &Tensor| tensor.detach().to_kind(Kind::Double);
        for (rows, inner, outputs) in [(1, 7, 1), (5, 64, 70), (33, 40, 49), (600, 96, 192)] {
            for has_bias in [false, true] {
                let learned = |tensor: Tensor| tensor.set_requires_grad(true);
                let master = |tensor: Tensor| learned(tensor.to_kind(Kind::Float));
                let (states, weight) = (learned(narrow(rows, inner, 0)), master(narrow(outputs, inner, 3)));
                let bias = has_bias.then(|| master(narrow(1, outputs, 8).view([-1])));
                let parameter = |master: &Tensor| Parameter::of(master, Kind::BFloat16);
                let product = linear(&states, &parameter(&weight), bias.as_ref().map(parameter).as_ref());
                let of_bias = bias.as_ref().map_or(Tensor::zeros([1], (Kind::Double, Device::Cpu)), wide);
                let expected = wide(&states).matmul(&wide(&weight).tr()) + of_bias;
                let off = |found: &Tensor, expected: &Tensor| {
                    let scale = expected.abs().max().double_value(&[]).max(1.0);
                    (wide(found) - expected).abs().max().double_value(&[]) / scale
                };
                assert!(off(&product, &expected) < 0.005, "{rows} x {inner} x {outputs}");
                let direction = narrow(rows, outputs, 5);
                (product * &direction).sum(Kind::Float).backward();
                let direction = wide(&direction);
                assert!(off(&states.grad(), &direction.matmul(&wide(&weight))) < 0.01);
                assert!(off(&weight.grad(), &direction.tr().matmul(&wide(&states))) < 0.01);
                assert_eq!(weight.grad().kind(), Kind::Float);
                let summed = direction.sum_dim_intlist([0i64].as_slice(), false, Kind::Double);
                assert!(bias.is_none_or(|bias| off(&bias.grad(), &summed) < 0.01));
            }
        }
    }

    #[test]
    fn a_product_of_a_few_rows_of_float32_is_that_of_its_numbers_and_so_are_its_gradients() {
        let numbers = |rows: i64, columns: i64, from: i64| narrow(rows, columns, from).to_kind(Kind::Float);
        let off = |found: &Tensor, expected: &Tensor| {
            (found.to_kind(Kind::Double) - expected).abs().max().double_value(&[])
                / expected.abs().max().double_value(&[])
        };
        for rows in [1, 2, 8, 15, 16, 17, 32, 33, 48, 49, 64, 65] {
            for (inner, outputs) in [(1, 1), (16, 8), (7, 70), (600, 33), (96, 1030)] {
                // Rows that lie apart, and others that are not in one piece.
                for states in [numbers(rows, inner + 3, 1).narrow(1, 0, inner), numbers(inner, rows, 1).tr()] {
                    let (weight, bias) = (numbers(outputs, inner, 3), numbers(1, outputs, 8).view([-1]));
                    let parameters = [&weight, &bias].map(|tensor| Parameter::of(tensor, Kind::Float));
                    let wide = |tensor: &Tensor| tensor.to_kind(Kind::Double);
                    let expected = wide(&states).matmul(&wide(&weight).tr());
                    let place = format!("{rows} x {inner} x {outputs}");
                    let product = linear(&states, &parameters[0], None);
                    assert!(off(&product, &expected) < 1e-5, "{place}");
                    let product = linear(&states, &parameters[0], Some(&parameters[1]));
                    assert!(off(&product, &(expected + wide(&bias))) < 1e-5, "{place}, with a bias");

                    let learned = weight.set_requires_grad(true);
                    let direction = numbers(rows, outputs, 5);
                    let expected = wide(&direction).tr().matmul(&wide(&states));
                    // The second one is added to the first, where that lies.
                    let mut lies_at = None;
                    for count in 1..=2 {
                        let product = linear(&states, &Parameter::of(&learned, Kind::Float), None);
                        (product * &direction).sum(Kind::Float).backward();
                        let gradient = learned.grad();
                        assert!(off(&gradient, &(&expected * f64::from(count))) < 1e-5, "{place}");
                        assert_eq!(*lies_at.get_or_insert(gradient.data_ptr()), gradient.data_ptr());
                    }
                }
            }
        }
    }

    #[test]
    fn projections_of_the_same_states_are_each_its_own_and_their_gradients_add_up() {
        for rows in [1, 40, 600] {
            let of = |kind: Kind| {
                let learned = |tensor: Tensor| tensor.to_kind(kind).set_requires_grad(true);
                let states = narrow(rows, 96, 0).to_kind(kind).detach().set_requires_grad(true);
                let weights = [(130, 3), (7, 9), (64, 1)].map(|(outputs, from)| learned(narrow(outputs, 96, from)));
                (states, weights, learned(narrow(1, 7, 5).view([-1])))
            };
            let (states, weights, bias) = of(Kind::Float);
            let narrow_states = states.detach().to_kind(Kind::BFloat16).set_requires_grad(true);
            let [first, second, third] = weights.each_ref().map(|weight| Parameter::of(weight, Kind::BFloat16));
            let of_bias = Parameter::of(&bias, Kind::BFloat16);
            let together = linear_each(
                Entering::States(&narrow_states),
                [(&first, None), (&second, Some(&of_bias)), (&third, None)],
            );
            let apart = [
                linear(&narrow_states, &first, None),
                linear(&narrow_states, &second, Some(&of_bias)),
                linear(&narrow_states, &third, None),
            ];
            assert!(together == apart, "of {rows} rows");

            let directions = together.each_ref().map(|product| narrow(rows, product.size()[1], 6));
            let losses =
                together.iter().zip(&directions).map(|(product, direction)| (product * direction).sum(Kind::Float));
            losses.sum::<Tensor>().backward();
            let (wide_states, wide_weights, wide_bias) = of(Kind::Double);
            let products = wide_weights.each_ref().map(|weight| wide_states.matmul(&weight.tr()));
            let losses =
                products.iter().zip(&directions).map(|(product, direction)| (product * direction).sum(Kind::Double));
            (losses.sum::<Tensor>() + (&wide_bias * &directions[1]).sum(Kind::Double)).backward();
            let same = |found: &Tensor, expected: &Tensor| {
                let off = (found.grad().to_kind(Kind::Double) - expected.grad()).abs().max().double_value(&[]);
                off < 0.02 * expected.grad().abs().max().double_value(&[]).max(1.0)
            };
            assert!(same(&narrow_states, &wide_states) && same(&bias, &wide_bias), "of {rows} rows");
            assert!(weights.iter().zip(&wide_weights).all(|(weight, wide)| same(weight, wide)), "of {rows} rows");
        }
    }

    /// One operation against the same in two.
    #[test]
    fn what_enters_a_product_may_be_made_with_it() {
        let learned = |tensor: Tensor| tensor.set_requires_grad(true);
        let cases = [Kind::BFloat16, Kind::Float].into_iter().flat_map(|kind| [1, 50, 300].map(|rows| (kind, rows)));
        for (kind, rows) in cases {
            let of_norm = || {
                [
                    learned(narrow(rows, 64, 0).to_kind(Kind::Float)),
                    learned(narrow(1, 64, 4).to_kind(Kind::Float).view([-1])),
                ]
            };
            let of_gate = || [1, 2].map(|from| learned(narrow(rows, 64, from).to_kind(kind)));
            let weights =
                || [learned(narrow(40, 64, 7).to_kind(Kind::Float)), learned(narrow(9, 64, 8).to_kind(Kind::Float))];
            let run = |inputs: &[Tensor; 2], weights: &[Tensor; 2], normed: bool, together: bool| {
                let parameters = weights.each_ref().map(|weight| Parameter::of(weight, kind));
                let [first, second] = inputs;
                let made;
                let entering = match (normed, together) {
                    (true, true) => Entering::Normed { states: first, weight: second, epsilon: 1e-5 },
                    (false, true) => Entering::Gated { gate: first, up: second },
                    (true, false) => {
                        made = fused::norm(first, second, 1e-5, kind);
                        Entering::States(&made)
                    }
                    (false, false) => {
                        made = fused::gated(first, second);
                        Entering::States(&made)
                    }
                };
                let [one, two] = linear_each(entering, parameters.each_ref().map(|parameter| (parameter, None)));
                let loss = (&one * narrow(rows, 40, 3)).sum(Kind::Float) + (&two * narrow(rows, 9, 6)).sum(Kind::Float);
                loss.backward();
                [one, two]
            };
            for normed in [true, false] {
                let inputs = [0, 1].map(|_| if normed { of_norm() } else { of_gate() });
                let weights = [weights(), weights()];
                let found = [true, false].map(|together| {
                    run(&inputs[usize::from(together)], &weights[usize::from(together)], normed, together)
                });
                assert!(found[0] == found[1], "of {rows} rows of {kind:?}");
                let same = |tensors: &[[Tensor; 2]; 2]| {
                    tensors[0].iter().zip(&tensors[1]).all(|(one, other)| one.grad() == other.grad())
                };
                assert!(same(&inputs) && same(&weights), "gradients of {rows} rows of {kind:?}");
            }
        }
    }

    #[test]
    fn a_parameter_that_is_refreshed_has_its_masters_numbers() {
        let mut master = narrow(3, 5, 0).to_kind(Kind::Float).set_requires_grad(true);
        let mut parameter = Parameter::of(&master, Kind::BFloat16);
        tch::no_grad(|| master += 1.0);
        assert!(parameter.numbers != master.to_kind(Kind::BFloat16));
        parameter.refresh();
        assert!(parameter.numbers == master.to_kind(Kind::BFloat16));
    }
}
