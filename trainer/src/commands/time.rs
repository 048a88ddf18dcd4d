//! About how long a plan takes: on this machine's processor, whose speed is measured in a moment, and on a GPU of a known one.

use std::time::{Duration, Instant};

use ludus_trainer::plan::Plan;
use ludus_trainer::plan::work::{PlannedWork, Speed};
use ludus_trainer::{device, machine, products};
use tch::{Device, Kind, Tensor};

/// What the passes of a network reach of a processor's speed: docs/performance.md has what ours do on a CPU. The share of a GPU
/// is not measured but usual.
const REACHED_ON_CPU: f64 = 0.6;
/// AMX makes products so fast that most of the time is in everything else.
const REACHED_WITH_AMX: f64 = 0.2;
const REACHED_ON_GPU: f64 = 0.4;
/// What a pass through a layer takes on a CPU, however little there is to compute.
const LAYER_SECONDS: f64 = 2.5e-4;

/// How fast passes are here, where a plan computes on the CPU.
pub fn here(plan: &Plan) -> Option<Speed> {
    (device::expected(plan.recipe.model.device) == Device::Cpu).then(|| {
        device::set_threads(plan.recipe.model.threads);
        let has_fast_products = plan.compute != Kind::Float && machine::has_amx();
        measured(plan.compute).reached(if has_fast_products { REACHED_WITH_AMX } else { REACHED_ON_CPU })
    })
}

/// How fast they are on one H100, at the most: what the passes of a network take, without sampling, games and the rest.
pub fn h100() -> Speed {
    Speed::H100.reached(REACHED_ON_GPU)
}

/// Two lines, or none where nothing is known of the model.
pub fn told(plan: &Plan) -> String {
    let Some(work) = PlannedWork::of(plan) else { return String::new() };
    let gpu = h100();
    let of_a_step = |speed: Speed| (work.rollout + work.update).seconds(speed);
    let here = here(plan);
    let part = |seconds: &dyn Fn(Speed) -> f64| {
        let here = here.map(|speed| format!("about {} on this CPU, ", duration(seconds(speed))));
        format!("{}at least {} on one H100", here.unwrap_or_default(), duration(seconds(gpu)))
    };
    format!("time of a step  {}\ntime of the run  {}\n", part(&of_a_step), part(&|speed| work.run.seconds(speed)))
}

/// Products as large as a processor likes, and sums over more than its caches hold: the best of a few.
fn measured(compute: Kind) -> Speed {
    const SIZE: i64 = 1_024;
    const NUMBERS: i64 = 32 << 20;
    products::choose();
    let matrix = Tensor::ones([SIZE, SIZE], (compute, Device::Cpu));
    let numbers = Tensor::ones([NUMBERS], (Kind::Float, Device::Cpu));
    let best = |work: &dyn Fn() -> Tensor| (0..5).map(|_| timed(work)).min().unwrap_or_default().as_secs_f64();
    Speed {
        operations: 2.0 * (SIZE * SIZE * SIZE) as f64 / best(&|| matrix.matmul(&matrix)),
        bytes: 4.0 * NUMBERS as f64 / best(&|| numbers.sum(Kind::Float)),
        layer_seconds: LAYER_SECONDS,
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn timed(work: &dyn Fn() -> Tensor) -> Duration {
    let began = Instant::now();
    let _ = work();
    began.elapsed()
}

/// `40 s`, `12 min`, `3.5 h`, `12 days`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1.0 => format!("{seconds:.1} s"),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.1} h", seconds / 3_600.0),
        seconds => format!("{:.0} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn a_duration_is_told_in_the_unit_that_people_use_for_it() {
        let told = [0.24, 59.6, 119.0, 720.0, 5.0 * 3_600.0, 30.0 * 86_400.0].map(duration);
        assert_eq!(told, ["0.2 s", "60 s", "119 s", "12 min", "5.0 h", "30 days"]);
    }
}
