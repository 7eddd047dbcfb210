//! The body of a script's answer on its way out.

use super::exchange::Exchange;
use crate::connection::Edge;
use crate::counts::InFlight;
use crate::log;
use crate::table::SiteState;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

/// See the module. Ends the exchange when it is dropped.
#[derive(Debug)]
pub(crate) struct Reply {
    edge: Arc<Edge>,
    site: Arc<SiteState>,
    exchange: Option<Exchange>,
    in_flight: Option<InFlight>,
    rest: Bytes,
    /// Bytes still to come, where the script stated the length.
    left: Option<u64>,
}

impl Reply {
    pub(super) fn new(
        edge: Arc<Edge>,
        site: Arc<SiteState>,
        in_flight: InFlight,
        exchange: Exchange,
        rest: Bytes,
        length: Option<u64>,
    ) -> Self {
        Self { edge, site, exchange: Some(exchange), in_flight: Some(in_flight), rest, left: length }
    }

    pub(crate) fn left(&self) -> Option<u64> {
        self.left
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let mut bytes = std::mem::take(&mut self.rest);
            if bytes.is_empty() {
                let Some(exchange) = &mut self.exchange else { return Poll::Ready(None) };
                let polled = exchange.poll_answer(cx);
                let stderr = exchange.take_stderr();
                if !stderr.is_empty() {
                    log::error(&self.edge.logs, self.site.site.number, &stderr);
                }
                match polled {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(next))) => bytes = next,
                    Poll::Ready(end) => {
                        self.exchange = None;
                        self.in_flight = None;
                        return Poll::Ready(match (end, self.left) {
                            (Some(Err(error)), _) => Some(Err(error)),
                            // Cut short visibly, not silently.
                            (_, Some(1..)) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
                            _ => None,
                        });
                    }
                }
            }
            if let Some(left) = &mut self.left {
                // More than was stated would be read as the next answer.
                bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= bytes.len() as u64;
                if bytes.is_empty() {
                    continue;
                }
            }
            return Poll::Ready(Some(Ok(bytes)));
        }
    }
}
