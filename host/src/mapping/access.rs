//! How jaq reaches into values and makes them: its traits for [`Val`].

use std::ops::Range;
use std::sync::Arc;

use jaq_core::path::Opt;
use jaq_core::{Exn, ValX};

use super::arithmetic::unshare;
use super::meter::{VALUE, spend};
use super::text::{json_text, plain_text};
use super::value::{Members, Num, Val};

type Error = jaq_core::Error<Val>;
type ValR = Result<Val, Error>;

/// Nearest floating-point number; infinite beyond its range.
pub(super) fn float(number: &Num) -> f64 {
    match number {
        Num::Int(value) => *value as f64,
        Num::Float(value) => *value,
        Num::BigInt(value) => value.to_string().parse().unwrap_or(f64::NAN),
        Num::Dec(digits) => digits.parse().unwrap_or(f64::NAN),
    }
}

/// A number as a position: rounded down, saturating.
fn position(value: &Val) -> Result<i64, Error> {
    match value {
        Val::Num(Num::Int(value)) => Ok(*value as i64),
        Val::Num(number) => Ok(float(number).floor() as i64),
        other => Err(Error::typ(other.clone(), "integer")),
    }
}

/// The index that a position means in something of this length; negative ones count from the end.
fn index_of(position: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if position < 0 { position.saturating_add(length) } else { position };
    (0..length).contains(&at).then_some(at as usize)
}

/// Where a slice starts and ends in something of this length.
fn bounds(range: Range<Option<&Val>>, length: usize) -> Result<Range<usize>, Error> {
    let end = length as i64;
    let bound = |value: Option<&Val>, default: i64| match value {
        None | Some(Val::Null) => Ok(default),
        Some(value) => {
            let at = position(value)?;
            let at = if at < 0 { at.saturating_add(end) } else { at };
            Ok(at.clamp(0, end))
        }
    };
    let from = bound(range.start, 0)?;
    let to = bound(range.end, end)?.max(from);
    Ok(from as usize..to as usize)
}

/// Bytes of the characters `range` of a text.
fn slice(text: &str, range: Range<Option<&Val>>) -> Result<Range<usize>, Error> {
    spend(text.len() / 8);
    let chars = bounds(range, text.chars().count())?;
    let byte = |char| text.char_indices().nth(char).map_or(text.len(), |(at, _)| at);
    Ok(byte(chars.start)..byte(chars.end))
}

impl Val {
    fn items(self) -> Result<Vec<Self>, Self> {
        match self {
            Self::Arr(arr) => Ok(Arc::try_unwrap(arr).map_or_else(
                |shared| {
                    spend(shared.items().len() * VALUE);
                    shared.items().to_vec()
                },
                super::value::Arr::into_items,
            )),
            other => Err(other),
        }
    }

    fn members(self) -> Result<Members, Self> {
        match self {
            Self::Obj(obj) => Ok(Arc::try_unwrap(obj).map_or_else(
                |shared| {
                    spend(4 * VALUE * shared.members().len());
                    shared.members().clone()
                },
                super::value::Obj::into_members,
            )),
            other => Err(other),
        }
    }

    /// The member or item; `None` where there is none.
    pub(super) fn get(&self, index: &Self) -> Result<Option<Self>, Error> {
        match (self, index) {
            (Self::Null, _) => Ok(None),
            (Self::Obj(obj), Self::Str(key)) => Ok(obj.members().get(key.as_ref()).cloned()),
            (Self::Arr(arr), Self::Num(_)) => {
                let at = index_of(position(index)?, arr.items().len());
                Ok(at.map(|at| arr.items()[at].clone()))
            }
            (Self::Arr(_) | Self::Str(_), Self::Obj(ends)) => {
                let end = |name: &str| ends.members().get(&name.to_owned());
                jaq_core::ValT::range(self.clone(), end("start")..end("end")).map(Some)
            }
            (Self::Arr(_), Self::Arr(_)) => super::natives::indices(self, index).map(Some),
            _ => Err(Error::index(self.clone(), index.clone())),
        }
    }
}

type Iter<T> = Box<dyn Iterator<Item = Result<T, Error>>>;

fn failed<T: 'static>(error: Error) -> Iter<T> {
    Box::new(std::iter::once(Err(error)))
}

impl jaq_core::ValT for Val {
    fn from_num(text: &str) -> ValR {
        Ok(Self::num(text))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(members: I) -> ValR {
        let keyed = members.into_iter().map(|(key, value)| match key {
            Self::Str(key) => Ok((key, value)),
            other => Err(Error::typ(other, "key of an object, which is a string")),
        });
        Ok(Self::obj(keyed.collect::<Result<Vec<_>, _>>()?))
    }

    fn key_values(self) -> Iter<(Self, Self)> {
        match self.items().map_err(Self::members) {
            Ok(items) => Box::new((0isize..).map(Self::from).zip(items).map(Ok)),
            Err(Ok(members)) => Box::new(members.into_iter().map(|(key, value)| Ok((Self::Str(key), value)))),
            Err(Err(other)) => failed(Error::typ(other, "iterable (array or object)")),
        }
    }

    fn values(self) -> Iter<Self> {
        match self.items().map_err(Self::members) {
            Ok(items) => Box::new(items.into_iter().map(Ok)),
            Err(Ok(members)) => Box::new(members.into_values().map(Ok)),
            Err(Err(other)) => failed(Error::typ(other, "iterable (array or object)")),
        }
    }

    fn index(self, index: &Self) -> ValR {
        Ok(self.get(index)?.unwrap_or(Self::Null))
    }

    fn range(self, range: Range<Option<&Self>>) -> ValR {
        match self {
            Self::Null => Ok(Self::Null),
            Self::Str(text) => Ok(Self::str(&text[slice(&text, range)?])),
            Self::Arr(arr) => {
                let range = bounds(range, arr.items().len())?;
                Ok(Self::arr(arr.items()[range].iter().cloned()))
            }
            other => Err(Error::typ(other, "rangeable (array or string)")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(self, opt: Opt, f: impl Fn(Self) -> I) -> ValX<'a, Self> {
        match self.items().map_err(Self::members) {
            Ok(items) => items.into_iter().flat_map(f).collect(),
            Err(Ok(members)) => {
                let kept = members.into_iter().filter_map(|(key, value)| f(value).next().map(|value| Ok((key, value?))));
                Ok(Self::obj(kept.collect::<Result<Vec<_>, Exn<'a, Self>>>()?))
            }
            Err(Err(other)) => opt.fail(other, |it| Error::typ(it, "iterable (array or object)").into()),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(self, index: &Self, opt: Opt, f: impl Fn(Self) -> I) -> ValX<'a, Self> {
        match (self, index) {
            (value @ (Self::Arr(_) | Self::Str(_)), Self::Obj(ends)) => {
                let end = |name: &str| ends.members().get(&name.to_owned());
                value.map_range(end("start")..end("end"), opt, f)
            }
            (Self::Null, Self::Str(_)) => Self::obj([]).map_index(index, opt, f),
            (Self::Obj(mut obj), Self::Str(key)) => {
                let members = unshare(&mut obj);
                // Taken out, so that nobody shares it while it is changed.
                let old = members.remove(key).unwrap_or_default();
                if let Some(new) = f(old).next().transpose()? {
                    members.insert(Arc::clone(key), new);
                }
                Ok(Self::Obj(obj))
            }
            (Self::Arr(mut arr), Self::Num(_)) => {
                let Some(at) = index_of(position(index)?, arr.items().len()) else {
                    return opt.fail(Self::Arr(arr), |_| Error::str(format_args!("index {index} out of bounds")).into());
                };
                if Arc::get_mut(&mut arr).is_none() {
                    spend(arr.items().len() * VALUE);
                }
                let items = Arc::make_mut(&mut arr);
                let old = items.take(at);
                let new = f(old).next().transpose()?;
                items.replace(at, new);
                Ok(Self::Arr(arr))
            }
            (value, _) => opt.fail(value, |it| Error::index(it, index.clone()).into()),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<Option<&Self>>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self {
            Self::Arr(arr) => {
                let range = bounds(range, arr.items().len())?;
                let (before, after) = (&arr.items()[..range.start], &arr.items()[range.end..]);
                let old = Self::arr(arr.items()[range].iter().cloned());
                let new = f(old).next().transpose()?.unwrap_or_else(|| Self::arr([]));
                let new = new.items().map_err(|it| Error::typ(it, "array"))?;
                Ok(before.iter().cloned().chain(new).chain(after.iter().cloned()).collect())
            }
            Self::Str(text) => {
                let range = slice(&text, range)?;
                let old = Self::str(&text[range.clone()]);
                let new = match f(old).next().transpose()? {
                    None => Arc::default(),
                    Some(Self::Str(new)) => new,
                    Some(other) => return Err(Error::typ(other, "string").into()),
                };
                spend(text.len() + new.len());
                Ok(Self::str([&text[..range.start], &new, &text[range.end..]].concat()))
            }
            other => opt.fail(other, |it| Error::typ(it, "rangeable (array or string)").into()),
        }
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        match self {
            Self::Str(_) => self,
            other => {
                spend(other.weight());
                Self::str(json_text(&other))
            }
        }
    }
}

impl jaq_std::ValT for Val {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        Ok(self.items()?.into_iter().collect())
    }

    fn is_int(&self) -> bool {
        matches!(self, Self::Num(Num::Int(_) | Num::BigInt(_)))
    }

    fn as_isize(&self) -> Option<isize> {
        match self {
            Self::Num(number) => number.as_isize(),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Num(number) => Some(float(number)),
            _ => None,
        }
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::Str(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Str(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    fn as_sub_str(&self, sub: &[u8]) -> Self {
        Self::str(String::from_utf8_lossy(sub))
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::str(String::from_utf8_lossy(bytes.as_ref()))
    }
}

impl From<bool> for Val {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<isize> for Val {
    fn from(value: isize) -> Self {
        Self::Num(Num::Int(value))
    }
}

impl From<usize> for Val {
    fn from(value: usize) -> Self {
        Self::Num(Num::from_integral(value))
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Self {
        Self::Num(Num::Float(value))
    }
}

impl From<String> for Val {
    fn from(text: String) -> Self {
        Self::str(text)
    }
}

/// The index `{start, end}` that stands for a slice in a path.
impl From<Range<Option<Self>>> for Val {
    fn from(range: Range<Option<Self>>) -> Self {
        let ends = [("start", range.start), ("end", range.end)];
        Self::obj(ends.map(|(name, end)| (Arc::new(name.to_owned()), end.unwrap_or_default())))
    }
}

impl FromIterator<Self> for Val {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::arr(items)
    }
}

/// The message of an error: its text if it is one, else the value that was raised.
pub(super) fn message(error: Error) -> String {
    match error.into_val() {
        Val::Str(text) => text.as_ref().clone(),
        other => plain_text(&other).into_owned(),
    }
}
