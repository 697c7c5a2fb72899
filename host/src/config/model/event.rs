//! `[[events]]`: what events of a type look like.

use std::sync::Arc;

use crate::personal::FieldPath;
use crate::schema::Schema;

/// `[[events]]`: what is known of events of some types, whatever routes want them.
#[derive(Debug, Clone)]
pub struct EventRule {
    /// `type`: any of them.
    pub types: Vec<crate::router::Pattern>,
    /// `source`: any of them; empty means every source.
    pub sources: Vec<crate::router::Pattern>,
    /// `schema`: of their data.
    pub schema: Option<Arc<Schema>>,
    /// `personal`: fields that are personal data.
    pub personal: Vec<FieldPath>,
    /// `subject`: fields that say whose.
    pub subject: Vec<FieldPath>,
}

impl EventRule {
    /// Whether it is about events of this type from this source.
    pub fn is_about(&self, event_type: &str, source: &str) -> bool {
        let any = |patterns: &[crate::router::Pattern], text| patterns.iter().any(|pattern| pattern.matches(text));
        any(&self.types, event_type) && (self.sources.is_empty() || any(&self.sources, source))
    }

    /// Whether it marks anything as personal.
    pub fn has_marks(&self) -> bool {
        !self.personal.is_empty() || !self.subject.is_empty() || self.schema.as_ref().is_some_and(|schema| schema.has_marks())
    }
}
