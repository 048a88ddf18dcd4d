//! Trains language models on hosted games with GRPO and StarPO\*.
//!
//! A [`recipe`] becomes a [`plan`]; [`train`] follows it step by step: [`rollout`] plays episodes of the host with a
//! [`model`] that answers in batches ([`generate`]), [`learner`] turns their returns into an update, and what happened is
//! written down ([`metrics`], [`checkpoint`]).

pub mod advantage;
mod aten;
pub mod attend;
pub mod batch;
pub mod benchmark;
pub mod chat;
pub mod checkpoint;
pub mod compare;
pub mod credit;
pub mod device;
pub mod distribution;
pub mod doctor;
mod embedding;
pub mod environment;
pub mod evaluate;
pub mod filter;
pub mod fused;
pub mod generate;
pub mod gradients;
pub mod layer;
pub mod learner;
pub mod machine;
pub mod made_with;
pub mod memory;
pub mod metrics;
pub mod model;
pub mod objective;
pub mod opponents;
pub mod optimizer;
mod others;
pub mod out_of_memory;
pub mod overlong;
pub mod pack;
pub mod plan;
pub mod products;
pub mod progress;
pub mod projections;
pub mod ranks;
pub mod recipe;
pub mod replay;
pub mod report;
pub mod rollout;
pub mod run;
pub mod run_log;
pub mod run_state;
pub mod sampled;
pub mod statistics;
pub mod suspect;
pub mod tensorboard;
pub mod token_advantages;
pub mod tournament;
pub mod train;
pub mod watch;
