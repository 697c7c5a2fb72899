use crate::{Failure, Request, Response};

/// Records of a system that gives them out in pages, one after another: `first` asks for the first page, and `read` takes the records off an answer and
/// says how to ask for the next, if there is one. A page is asked for when its first record is wanted.
///
/// ```
/// # use sangam_sdk::prelude::*;
/// # #[derive(Deserialize)] struct Found { items: Vec<Value>, next: Option<String> }
/// # fn f(cx: &Context<()>) -> Result<(), Failure> {
/// let url = "https://crm.example/contacts";
/// let contacts = pages(cx.get(url), |answer| {
///     let Found { items, next } = answer.ok()?.json()?;
///     Ok((items, next.map(|after| cx.get(url).query("after", after))))
/// });
/// for contact in contacts.take(500) {
///     let contact = contact?;
/// #   let _ = contact;
/// }
/// # Ok(()) }
/// ```
///
/// Systems that name the next page in a `Link` header: [`Response::next_link`]. Each page is a request and counts against the `http-calls` of a call, so
/// bound what you take. After a failure there are no more records.
pub fn pages<T, F>(first: Request, read: F) -> Pages<T, F>
where
    F: FnMut(Response) -> Result<(Vec<T>, Option<Request>), Failure>,
{
    Pages { next: Some(first), here: Vec::new().into_iter(), read }
}

/// What [`pages`] gives.
#[derive(Debug)]
#[must_use = "pages are read as their records are taken"]
pub struct Pages<T, F> {
    next: Option<Request>,
    here: std::vec::IntoIter<T>,
    read: F,
}

impl<T, F> Iterator for Pages<T, F>
where
    F: FnMut(Response) -> Result<(Vec<T>, Option<Request>), Failure>,
{
    type Item = Result<T, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.here.next() {
                return Some(Ok(record));
            }
            // An empty page is not the last one.
            let request = self.next.take()?;
            match request.send().and_then(&mut self.read) {
                Ok((records, next)) => (self.here, self.next) = (records.into_iter(), next),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}
