//! The learner's past selves on disk: a model folder for each snapshot of the pool, so that a run that goes on, and a step that
//! is rolled out again, meet the opponents that they met.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{TrainError, llama_of};
use crate::checkpoint;
use crate::learner::Learner;
use crate::recipe::SelfPlayRecipe;
use tch::Kind;

/// Where the snapshot after a step lies.
fn folder_of(run: &Path, step: u32) -> PathBuf {
    run.join("past").join(format!("step-{step:06}"))
}

/// Puts the snapshots into the pool that were in it once so many steps were done.
///
/// # Errors
/// Where one is missing or damaged. The first snapshot is the model that training begins with, and needs no folder.
pub fn recall(learner: &mut Learner<'_>, run: &Path, base: &Path, steps_done: u32) -> Result<(), TrainError> {
    let recipe = learner.plan.recipe.self_play.clone();
    for step in recipe.pool_after(steps_done) {
        let folder = if step == 0 { base.to_path_buf() } else { folder_of(run, step) };
        let llama = llama_of(learner.plan, &folder, base, learner.llama.device)?;
        learner.opponents.remember(step, llama.snapshot(), recipe.keep);
    }
    Ok(())
}

/// Takes a snapshot of the learner where one is due after so many steps. The first rank writes it down.
///
/// # Errors
/// Where the disk refuses.
pub fn remember(
    learner: &mut Learner<'_>,
    run: &Path,
    base: &Path,
    steps_done: u32,
    writes: bool,
) -> Result<(), TrainError> {
    let recipe = &learner.plan.recipe.self_play;
    if !recipe.is_due(steps_done) {
        return Ok(());
    }
    let snapshot = learner.llama.snapshot();
    learner.opponents.remember(steps_done, snapshot, recipe.keep);
    if writes && steps_done > 0 {
        let (folder, partial) = (folder_of(run, steps_done), run.join("past").join(".partial"));
        let failed = |source| TrainError::Unwritable { path: folder.clone(), source };
        remove_if_there(&partial).map_err(failed)?;
        checkpoint::save_model(&partial, base, &learner.llama, Kind::Float)?;
        remove_if_there(&folder).and_then(|()| fs::rename(&partial, &folder)).map_err(failed)?;
    }
    Ok(())
}

/// Removes the snapshots that no step needs any more which begins with a checkpoint, or with one made later: those that had left
/// the pool when the oldest checkpoint was made.
///
/// # Errors
/// Where the disk refuses.
pub fn prune(run: &Path, recipe: &SelfPlayRecipe, oldest_checkpoint: u32) -> Result<(), TrainError> {
    let needed_from = recipe.pool_after(oldest_checkpoint).first().copied().unwrap_or(0);
    for step in (0..needed_from).filter(|&step| recipe.is_due(step)) {
        let folder = folder_of(run, step);
        remove_if_there(&folder).map_err(|source| TrainError::Unwritable { path: folder, source })?;
    }
    Ok(())
}

fn remove_if_there(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::DrawFromPool;

    #[test]
    fn a_past_self_stays_as_long_as_a_step_behind_a_kept_checkpoint_meets_it() {
        let run = tempfile::tempdir().unwrap();
        let recipe = SelfPlayRecipe { every: 2, keep: 2, draw: DrawFromPool::Uniform };
        for step in [2, 4, 6, 8] {
            fs::create_dir_all(folder_of(run.path(), step)).unwrap();
        }
        let kept = || [2, 4, 6, 8].into_iter().filter(|&step| folder_of(run.path(), step).exists()).collect::<Vec<_>>();
        // After step 3 the pool is the first weights and the snapshot of step 2.
        prune(run.path(), &recipe, 3).unwrap();
        assert_eq!(kept(), [2, 4, 6, 8]);
        prune(run.path(), &recipe, 7).unwrap();
        assert_eq!(kept(), [4, 6, 8]);
        // Without a pool there is nothing to remove.
        prune(run.path(), &SelfPlayRecipe { every: 0, ..recipe }, 9).unwrap();
        assert_eq!(kept(), [4, 6, 8]);
    }
}
