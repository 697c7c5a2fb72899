//! The edge, tested from outside: the real program in a folder of its own, real components, a real sink.

mod outcome;
mod scene;

mod audit;
mod campaign;
mod canary;
mod command_line;
mod components;
mod connectors;
mod crash;
mod crash_points;
mod dead_letters;
mod disasters;
mod dry_run;
mod effects;
mod fairness;
mod hold;
mod house;
mod intake;
mod journal;
mod key_value;
mod order;
mod postgres;
mod pressure;
mod reload;
mod replay;
mod routing;
mod rules;
mod sandbox;
mod security;
mod several_hosts;
mod steps;
mod undo;
mod upkeep;
