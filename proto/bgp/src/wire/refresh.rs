//! ROUTE-REFRESH (RFC 2918, RFC 7313).

use super::family::Family;
use super::frame::{Type, put_header};
use super::notification::{Notification, code};

/// What a ROUTE-REFRESH says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Send everything again.
    Request,
    /// Beginning of a refresh (BoRR).
    Begin,
    /// End of a refresh (EoRR).
    End,
}

/// A ROUTE-REFRESH.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RouteRefresh {
    /// The family that it is about.
    pub family: Family,
    /// What it says.
    pub kind: Kind,
}

impl RouteRefresh {
    /// Reads the body. `Ok(None)`: a subtype that RFC 7313 wants ignored. A message with more than
    /// the four bytes carries outbound route filters, which were not agreed upon: ignored too.
    pub fn decode(body: &[u8]) -> Result<Option<Self>, Notification> {
        let Some((&[high, low, subtype, safi], rest)) = body.split_first_chunk::<4>() else {
            return Err(Notification::new(code::REFRESH, 1));
        };
        let kind = match subtype {
            0 => Kind::Request,
            // A demarcation of another length is an error in RFC 7313 section 5.
            1 | 2 if !rest.is_empty() => return Err(Notification::new(code::REFRESH, 1)),
            1 => Kind::Begin,
            2 => Kind::End,
            _ => return Ok(None),
        };
        Ok(Some(Self { family: Family::new(u16::from_be_bytes([high, low]), safi), kind }))
    }

    /// Appends the whole message.
    pub fn encode(self, out: &mut Vec<u8>) {
        put_header(out, 23, Type::RouteRefresh);
        out.extend_from_slice(&self.family.afi.to_be_bytes());
        out.push(match self.kind {
            Kind::Request => 0,
            Kind::Begin => 1,
            Kind::End => 2,
        });
        out.push(self.family.safi);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_back() {
        let request = RouteRefresh { family: Family::IPV6, kind: Kind::Request };
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        assert_eq!(bytes.get(16..), Some(&[0, 23, 5, 0, 2, 0, 1][..]));
        assert_eq!(RouteRefresh::decode(&bytes[19..]), Ok(Some(request)));
    }

    #[test]
    fn odd_ones_are_ignored_or_refused() {
        assert_eq!(RouteRefresh::decode(&[0, 1, 7, 1]), Ok(None));
        assert_eq!(RouteRefresh::decode(&[0, 1, 0]), Err(Notification::new(7, 1)));
        assert_eq!(RouteRefresh::decode(&[0, 1, 1, 1, 0]), Err(Notification::new(7, 1)));
    }
}
