//! A form with a file: its fields are read first, and the file is passed on as it comes. Nothing of it is kept here.

use crate::form::Form;
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderMap, header};
use multer::{Field, Multipart};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

/// What comes with a request and can be had once, such as the file of a form, until a page takes it.
#[derive(Debug)]
pub(crate) struct Slot<T>(Mutex<Option<T>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self::new(None)
    }
}

impl<T> Slot<T> {
    pub(crate) fn new(held: Option<T>) -> Self {
        Self(Mutex::new(held))
    }

    /// It, once.
    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A file that is being sent.
#[derive(Debug)]
pub(crate) struct File {
    /// What the sender calls it, in small letters; its folder is nobody's business.
    pub(crate) name: String,
    /// What the whole form has, which is the file and a little more; unknown where the sender does not say.
    pub(crate) form_bytes: Option<u64>,
    field: Field<'static>,
}

impl File {
    /// What it holds, as it comes.
    pub(crate) fn into_body(self) -> Body {
        Body::from_stream(self.field.map_err(std::io::Error::other))
    }
}

/// Where a form with a file is cut into its fields; none for other forms.
pub(crate) fn boundary(headers: &HeaderMap) -> Option<String> {
    let said = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(said).ok()
}

/// Reads a form up to its file, which must be its last field. None where it is no such form, or its fields are too large together.
pub(crate) async fn read(
    boundary: String,
    headers: &HeaderMap,
    body: Body,
    fields_bytes_max: usize,
) -> Option<(Form, Option<File>)> {
    let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let form_bytes = said.and_then(|text| text.parse().ok());
    let mut parts = Multipart::new(piece_by_piece(body.into_data_stream()), boundary);
    let (mut form, mut left) = (Form::default(), fields_bytes_max);
    while let Some(mut field) = parts.next_field().await.ok()? {
        let name = field.name().unwrap_or_default().to_owned();
        if let Some(file) = field.file_name() {
            let name = file.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
            // A form that is sent without a file has one with no name.
            let file = (!name.is_empty()).then_some(File { name, form_bytes, field });
            return Some((form, file));
        }
        let mut value = Vec::new();
        while let Some(piece) = field.chunk().await.ok()? {
            left = left.checked_sub(piece.len())?;
            value.extend_from_slice(&piece);
        }
        left = left.checked_sub(name.len() + 1)?;
        form.add(&name, String::from_utf8(value).ok()?.replace("\r\n", "\n"));
    }
    Some((form, None))
}

/// One piece each time somebody asks: who cuts the form takes all that is ready at once, however much that is.
fn piece_by_piece(mut body: BodyDataStream) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send {
    let mut given = false;
    stream::poll_fn(move |context| {
        if std::mem::take(&mut given) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = body.poll_next_unpin(context);
        given = next.is_ready();
        next
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http_body_util::BodyExt;

    const HEAD: &str = "--x\r\nContent-Disposition: form-data; name=\"_token\"\r\n\r\nsecret\r\n--x\r\nContent-Disposition: form-data; \
        name=\"/file\"; filename=\"C:\\\\dumps\\\\Shop.SQL\"\r\nContent-Type: application/sql\r\n\r\n";

    async fn read_text(text: String, fields_bytes_max: usize) -> Option<(Form, Option<File>)> {
        read("x".to_owned(), &HeaderMap::new(), Body::from(text), fields_bytes_max).await
    }

    #[tokio::test]
    async fn fields_are_read_and_the_file_is_passed_on() {
        let (form, file) = read_text(format!("{HEAD}a\r\n--y\r\nb\r\n--x--\r\n"), 100).await.expect("a form");
        assert_eq!(form.get("_token"), Some("secret"));
        let file = file.expect("a file");
        assert_eq!(file.name, "shop.sql");
        let body = file.into_body().collect().await.expect("all of it").to_bytes();
        assert_eq!(body, "a\r\n--y\r\nb", "what only looks like a cut is the file's");
    }

    #[tokio::test]
    async fn what_ends_in_the_middle_is_no_whole_file() {
        let (_, file) = read_text(format!("{HEAD}half"), 100).await.expect("a form");
        assert!(file.expect("a file").into_body().collect().await.is_err());
        assert!(
            read_text("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhalf".to_owned(), 100).await.is_none()
        );
    }

    #[tokio::test]
    async fn fields_are_bounded_and_a_missing_file_is_none() {
        assert!(read_text(format!("{HEAD}a\r\n--x--\r\n"), 10).await.is_none());
        let none = HEAD.replace("C:\\\\dumps\\\\Shop.SQL", "") + "\r\n--x--\r\n";
        let (form, file) = read_text(none, 100).await.expect("a form");
        assert!(file.is_none() && form.get("_token").is_some());
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
        assert_eq!(boundary(&headers), None);
    }
}
