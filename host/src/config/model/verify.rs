//! `verify`: how a webhook proves where it comes from.

/// `verify`.
#[derive(Debug, Clone, PartialEq)]
pub enum Verify {
    /// `"none"`: whoever reaches the host is believed.
    Nothing,
}
