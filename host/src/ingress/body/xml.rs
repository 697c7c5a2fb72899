//! XML as JSON.
//!
//! - The result is an object with one member: the root element by its name.
//! - An element with nothing but text is that text; an empty one is `""`; one with `xsi:nil="true"` is null.
//! - Any other element is an object: attributes as `@name`, child elements by name, text beside them as `#text`.
//! - Elements of the same name within one parent are a list; one alone is not, since nobody can tell from a document that there could be more.
//! - Prefixes of namespaces are left out, as are their declarations, comments and processing instructions.
//!
//! No document type is taken, and no entities but the five of XML and characters by number: what an entity stands for is a way to make a small
//! document large, or to have the host read something.

use std::collections::HashSet;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use serde_json::{Map, Value};

use super::{BodyError, MAX_XML_DEPTH, put};

/// Most attributes of one element.
const MAX_ATTRIBUTES: usize = 256;

/// An element whose end has not come.
#[derive(Default)]
struct Open {
    name: String,
    members: Map<String, Value>,
    lists: HashSet<String>,
    text: String,
    has_children: bool,
    is_nil: bool,
}

/// Reads a document.
pub(super) fn read(text: &str) -> Result<Value, BodyError> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<(String, Value)> = None;
    loop {
        let event =
            reader.read_event().map_err(|_| wrong(format!("it breaks off or is not well-formed at byte {}", reader.error_position())))?;
        match event {
            Event::Decl(declaration) => {
                let encoding = declaration.encoding().and_then(Result::ok);
                if encoding.is_some_and(|encoding| !["utf-8", "utf8", "us-ascii"].contains(&encoding.to_ascii_lowercase().as_str())) {
                    return Err(wrong("its encoding is not UTF-8"));
                }
            }
            Event::Start(tag) => begin(&mut open, root.is_some(), &tag)?,
            Event::Empty(tag) => {
                begin(&mut open, root.is_some(), &tag)?;
                end(&mut open, &mut root);
            }
            Event::End(_) => end(&mut open, &mut root),
            Event::Text(part) => add(&mut open, &part.xml10_content())?,
            Event::CData(part) => match open.last_mut() {
                Some(element) => element.text.push_str(&part.xml10_content()),
                None => return Err(wrong("there is text outside of the root element")),
            },
            Event::GeneralRef(reference) => add(&mut open, entity(&reference)?.encode_utf8(&mut [0; 4]))?,
            Event::DocType(_) => return Err(wrong("it has a document type (<!DOCTYPE …>), which is not taken")),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if !open.is_empty() {
        return Err(wrong("it ends in the middle of an element"));
    }
    let (name, value) = root.ok_or_else(|| wrong("it has no root element"))?;
    Ok(Value::Object(Map::from_iter([(name, value)])))
}

fn wrong(what: impl Into<String>) -> BodyError {
    BodyError::Xml(what.into())
}

fn begin(open: &mut Vec<Open>, is_over: bool, tag: &BytesStart<'_>) -> Result<(), BodyError> {
    if open.is_empty() && is_over {
        return Err(wrong("it has more than one root element"));
    }
    if open.len() >= MAX_XML_DEPTH {
        return Err(wrong(format!("it has more than {MAX_XML_DEPTH} elements within one another")));
    }
    if let Some(parent) = open.last_mut() {
        parent.has_children = true;
    }
    let mut element = Open { name: local(tag.name().as_ref()).to_owned(), ..Open::default() };
    for (count, attribute) in tag.attributes().enumerate() {
        let attribute = attribute.map_err(|_| wrong(format!("an attribute of <{}> is not well-formed", element.name)))?;
        if count >= MAX_ATTRIBUTES {
            return Err(wrong(format!("an element has more than {MAX_ATTRIBUTES} attributes")));
        }
        let name: &str = attribute.key.as_ref();
        if name == "xmlns" || name.starts_with("xmlns:") {
            continue;
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|_| wrong("an attribute has an entity other than &amp; &lt; &gt; &quot; &apos;"))?;
        if local(name) == "nil" && matches!(value.as_ref(), "true" | "1") {
            element.is_nil = true;
            continue;
        }
        put(&mut element.members, &mut element.lists, format!("@{}", local(name)), Value::String(value.into_owned()));
    }
    open.push(element);
    Ok(())
}

/// Ends the innermost element; the reader has seen to it that the names match.
fn end(open: &mut Vec<Open>, root: &mut Option<(String, Value)>) {
    let Some(mut element) = open.pop() else { return };
    let value = if element.is_nil {
        Value::Null
    } else if element.members.is_empty() {
        Value::String(std::mem::take(&mut element.text))
    } else {
        // Between elements there is layout.
        let text = if element.has_children { element.text.trim() } else { element.text.as_str() };
        if !text.is_empty() {
            element.members.insert("#text".to_owned(), Value::String(text.to_owned()));
        }
        Value::Object(std::mem::take(&mut element.members))
    };
    match open.last_mut() {
        Some(parent) => put(&mut parent.members, &mut parent.lists, element.name, value),
        None => *root = Some((element.name, value)),
    }
}

fn add(open: &mut [Open], text: &str) -> Result<(), BodyError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(wrong("there is text outside of the root element")),
    }
    Ok(())
}

fn entity(reference: &BytesRef<'_>) -> Result<char, BodyError> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Ok(character);
    }
    match reference.xml10_content().as_ref() {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(wrong("it has an entity other than &amp; &lt; &gt; &quot; &apos;")),
    }
}

/// A name without the prefix of its namespace.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}
