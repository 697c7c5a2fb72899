//! Values of credentials: which may stand in the file in clear text, and which may not.

use super::item::Item;
use super::model::Reference;
use super::reader::Reader;
use super::reference::kept;
use super::section::Section;

/// A value that people may see.
pub(super) fn plain(r: &mut Reader<'_>, section: &mut Section<'_>, key: &'static str) -> Option<Reference> {
    let item = section.required(r, key, "\"${env:NAME}\"")?;
    reference(r, &item)
}

/// A value that people may see, once its key was found.
pub(super) fn reference(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Reference> {
    let text = item.text(r)?;
    kept(r, &text)
}

/// A value that nobody may see. In clear text it would end up in the store with the revision, so that is refused.
pub(super) fn secret(r: &mut Reader<'_>, section: &mut Section<'_>, key: &'static str) -> Option<Reference> {
    let item = section.required(r, key, "\"${secret:NAME}\"")?;
    reference_secret(r, &item, key)
}

/// The same, once its key was found.
pub(super) fn reference_secret(r: &mut Reader<'_>, item: &Item<'_>, key: &str) -> Option<Reference> {
    let text = item.text(r)?;
    let reference = kept(r, &text)?;
    if reference.is_literal() {
        r.error(&text.span, format!("`{key}` is a secret and can't stand in the file in clear text"))
            .help(format!("run `sangam secret set NAME` and write {key} = \"${{secret:NAME}}\"; ${{env:…}} and ${{file:…}} work too"));
        return None;
    }
    Some(reference)
}
