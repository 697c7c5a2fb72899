//! How values compare: null, false, true, numbers, strings, arrays, objects, as in jq.

use std::cmp::Ordering;

use super::meter::spend;
use super::value::{Num, Val};

/// What `nan` is to another `nan`. jq's `<` calls it smaller, and `isnan` relies on that; sorting needs a total order.
#[derive(Clone, Copy)]
enum Nan {
    Smaller,
    Equal,
}

fn rank(value: &Val) -> u8 {
    match value {
        Val::Null => 0,
        Val::Bool(_) => 1,
        Val::Num(_) => 2,
        Val::Str(_) => 3,
        Val::Arr(_) => 4,
        Val::Obj(_) => 5,
    }
}

fn is_nan(number: &Num) -> bool {
    matches!(number, Num::Float(value) if value.is_nan())
}

fn order(left: &Val, right: &Val, nan: Nan) -> Ordering {
    match (left, right) {
        (Val::Bool(left), Val::Bool(right)) => left.cmp(right),
        (Val::Num(left), Val::Num(right)) => match nan {
            Nan::Equal if is_nan(left) && is_nan(right) => Ordering::Equal,
            _ => left.cmp(right),
        },
        (Val::Str(left), Val::Str(right)) => left.cmp(right),
        (Val::Arr(left), Val::Arr(right)) => order_all(left.items(), right.items(), nan),
        (Val::Obj(left), Val::Obj(right)) => {
            let keys = left.members().keys().cmp(right.members().keys());
            keys.then_with(|| order_all(left.members().values(), right.members().values(), nan))
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

fn order_all<'a>(left: impl IntoIterator<Item = &'a Val>, right: impl IntoIterator<Item = &'a Val>, nan: Nan) -> Ordering {
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => match order(left, right, nan) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

fn pay(left: &Val, right: &Val) {
    spend(4 + left.weight().min(right.weight()) / 8);
}

impl Ord for Val {
    fn cmp(&self, other: &Self) -> Ordering {
        pay(self, other);
        order(self, other, Nan::Equal)
    }
}

// `<` and sorting differ for `nan`, see `Nan`.
#[allow(clippy::non_canonical_partial_ord_impl)]
impl PartialOrd for Val {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        pay(self, other);
        Some(order(self, other, Nan::Smaller))
    }
}

impl PartialEq for Val {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl Eq for Val {}
