//! Connector `teams`: cards into channels and chats of Microsoft Teams, through the webhook of a workflow.

mod card;
mod config;
mod post;

#[cfg(test)]
mod tests;

use sangam_sdk::prelude::*;

use config::Config;

struct Teams;

impl Plugin for Teams {
    type Config = Config;
    const NAME: &'static str = "teams";
    const TITLE: &'static str = "Microsoft Teams";
    const DESCRIPTION: &'static str = "Posts messages as Adaptive Cards into a channel or chat, through the webhook of a workflow.";
    const HOSTS: &'static [&'static str] = &["${base-url}"];
}

impl Connector for Teams {
    fn actions(a: &mut Actions<Self>) {
        a.action("post-message", "Post a message", post::post_message);
    }
}

sangam_sdk::export!(Teams);
