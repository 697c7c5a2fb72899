//! The edge, tested.
