//! What `+ - * / %` mean for each pair of types, as in jq.

use std::collections::BTreeSet;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::sync::Arc;

use jaq_core::ops::Math;

use super::meter::{VALUE, admit, spend};
use super::value::{Num, Obj, Val};

type Error = jaq_core::Error<Val>;
type ValR = Result<Val, Error>;

/// Largest integer that a calculation may make, in bits. It bounds the time that the next one takes.
const MAX_INTEGER_BITS: u64 = 1024;
/// Price of one operation.
const OPERATION: usize = 16;

fn calculated(number: Num) -> ValR {
    match number {
        Num::BigInt(value) if value.bits() > MAX_INTEGER_BITS => {
            Err(Error::str(format_args!("an integer of more than {MAX_INTEGER_BITS} bits")))
        }
        number => Ok(Val::Num(number)),
    }
}

impl Add for Val {
    type Output = ValR;

    fn add(self, other: Self) -> ValR {
        spend(OPERATION);
        match (self, other) {
            (Self::Null, value) | (value, Self::Null) => Ok(value),
            (Self::Num(left), Self::Num(right)) => calculated(left + right),
            (Self::Str(mut left), Self::Str(right)) => {
                spend(right.len());
                admit(0, left.len() + right.len());
                if let Some(left) = Arc::get_mut(&mut left) {
                    left.push_str(&right);
                    return Ok(Self::Str(Arc::new(std::mem::take(left))));
                }
                Ok(Self::str([left.as_str(), right.as_str()].concat()))
            }
            (Self::Arr(mut left), Self::Arr(right)) => {
                if Arc::get_mut(&mut left).is_none() {
                    spend(left.items().len() * VALUE);
                }
                Arc::make_mut(&mut left).extend(right.items().iter().cloned());
                Ok(Self::Arr(left))
            }
            (Self::Obj(mut left), Self::Obj(right)) => {
                let members = unshare(&mut left);
                for (key, value) in right.members() {
                    members.insert(Arc::clone(key), value.clone());
                }
                Ok(Self::Obj(left))
            }
            (left, right) => Err(Error::math(left, Math::Add, right)),
        }
    }
}

/// The object itself if nobody shares it, else a copy that is paid for.
pub(super) fn unshare(obj: &mut Arc<Obj>) -> &mut Obj {
    if Arc::get_mut(obj).is_none() {
        spend(4 * VALUE * obj.members().len());
    }
    Arc::make_mut(obj)
}

impl Sub for Val {
    type Output = ValR;

    fn sub(self, other: Self) -> ValR {
        spend(OPERATION);
        match (self, other) {
            (Self::Num(left), Self::Num(right)) => calculated(left - right),
            (Self::Arr(left), Self::Arr(right)) => {
                let right: BTreeSet<&Self> = right.items().iter().collect();
                Ok(Self::arr(left.items().iter().filter(|item| !right.contains(item)).cloned()))
            }
            (left, right) => Err(Error::math(left, Math::Sub, right)),
        }
    }
}

fn merge(left: &mut Obj, right: &Obj) {
    for (key, value) in right.members() {
        let value = match (left.remove(key), value) {
            (Some(Val::Obj(mut inner)), Val::Obj(value)) => {
                merge(unshare(&mut inner), value);
                Val::Obj(inner)
            }
            (_, value) => value.clone(),
        };
        left.insert(Arc::clone(key), value);
    }
}

impl Mul for Val {
    type Output = ValR;

    fn mul(self, other: Self) -> ValR {
        spend(OPERATION);
        match (self, other) {
            (Self::Num(left), Self::Num(right)) => calculated(left * right),
            (Self::Str(text), Self::Num(times)) | (Self::Num(times), Self::Str(text)) => {
                // `as` saturates. Zero and less make null, as in jq.
                let times = super::access::float(&times).ceil().max(0.0) as usize;
                if times == 0 {
                    return Ok(Self::Null);
                }
                let length = text.len().saturating_mul(times);
                admit(0, length);
                spend(length);
                Ok(Self::str(text.repeat(times)))
            }
            (Self::Obj(mut left), Self::Obj(right)) => {
                merge(unshare(&mut left), &right);
                Ok(Self::Obj(left))
            }
            (left, right) => Err(Error::math(left, Math::Mul, right)),
        }
    }
}

impl Div for Val {
    type Output = ValR;

    fn div(self, other: Self) -> ValR {
        spend(OPERATION);
        match (self, other) {
            (Self::Num(left), Self::Num(right)) => Ok(Self::Num(left / right)),
            (Self::Str(text), Self::Str(_)) if text.is_empty() => Ok(Self::arr([])),
            (Self::Str(text), Self::Str(separator)) if separator.is_empty() => {
                Ok(Self::arr(text.chars().map(|char| Self::str(char.to_string()))))
            }
            (Self::Str(text), Self::Str(separator)) => Ok(Self::arr(text.split(separator.as_str()).map(Self::str))),
            (left, right) => Err(Error::math(left, Math::Div, right)),
        }
    }
}

impl Rem for Val {
    type Output = ValR;

    fn rem(self, other: Self) -> ValR {
        spend(OPERATION);
        match (self, other) {
            (left @ Self::Num(_), right @ Self::Num(Num::Int(0))) => Err(Error::math(left, Math::Rem, right)),
            (Self::Num(left), Self::Num(right)) => Ok(Self::Num(left % right)),
            (left, right) => Err(Error::math(left, Math::Rem, right)),
        }
    }
}

impl Neg for Val {
    type Output = ValR;

    fn neg(self) -> ValR {
        match self {
            Self::Num(number) => Ok(Self::Num(-number)),
            other => Err(Error::typ(other, "number")),
        }
    }
}
