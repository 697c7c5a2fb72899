//! What of a shift is regular time, overtime and doubletime.

use sangam_sdk::prelude::*;

use crate::span::Span;

/// The rules. A minute counts once: what is overtime by the day does not use up the week's regular time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Overtime {
    /// Time worked on a day beyond this is overtime, such as `8h`.
    pub daily_after: Option<Span>,
    /// Regular time of an ISO week (Monday to Sunday) beyond this is overtime, such as `40h`.
    pub weekly_after: Option<Span>,
    /// Time worked on a day beyond this is doubletime, such as `12h`.
    pub daily_doubletime_after: Option<Span>,
}

/// Minutes by what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Split {
    pub regular: u32,
    pub overtime: u32,
    pub doubletime: u32,
}

impl Split {
    /// All of them.
    pub fn worked(self) -> u32 {
        self.regular + self.overtime + self.doubletime
    }
}

impl Overtime {
    /// Splits `worked` minutes of a day on which `day` minutes were worked before, in a week that has `week` regular minutes.
    pub fn split(&self, worked: u32, day: u32, week: u32) -> Split {
        let beyond = |limit: Option<Span>| match limit {
            Some(Span(limit)) => (day + worked).saturating_sub(limit.max(day)),
            None => 0,
        };
        let doubletime = beyond(self.daily_doubletime_after);
        let daily = beyond(self.daily_after).max(doubletime);
        let within_day = worked - daily;
        let room = self.weekly_after.map_or(u32::MAX, |Span(limit)| limit.saturating_sub(week));
        let regular = within_day.min(room);
        Split { regular, overtime: worked - regular - doubletime, doubletime }
    }
}

#[cfg(test)]
mod tests;
