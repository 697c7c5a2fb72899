//! The host's own steps: `uses = "sangam.ACTION"`. One file for each action.

pub mod mail;
