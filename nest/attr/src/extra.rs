//! Attributes outside BGP: the kernel's, the IGPs', the user's own.

use core::any::Any;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::IpAddr;
use std::sync::Arc;

use dunlin_net::Prefix;
use dunlin_net::as_path::AsPath;
use dunlin_net::community::{
    Communities, Community, ExtCommunities, ExtCommunity, LargeCommunities, LargeCommunity, Quad,
};

macro_rules! attributes {
    ($($id:ident $v3:literal $v2:literal;)*) => {
        /// Names an attribute outside BGP. The order is the order in which they are shown.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AttrId {
            $(
                #[doc = concat!("`", $v3, "`")]
                $id,
            )*
            /// Defined by an `attribute` statement, by its name.
            Custom(Arc<str>),
        }

        impl AttrId {
            /// The names of all but those that are user-defined.
            pub const NAMES: &'static [&'static str] = &[$($v3),*];

            /// The attribute with this name in the filter language; user-defined ones are not known
            /// here.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($v3 => Some(Self::$id),)*
                    _ => None,
                }
            }

            /// The name in the filter language.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$id => $v3,)*
                    Self::Custom(name) => name,
                }
            }

            /// The name that BIRD 2 shows.
            pub fn v2_name(&self) -> &str {
                match self {
                    $(Self::$id => $v2,)*
                    Self::Custom(name) => name,
                }
            }
        }
    };
}

attributes! {
    From "from" "from";
    IgpMetric "igp_metric" "igp_metric";
    LocalMetric "local_metric" "local_metric";
    KernelSource "krt_source" "Kernel.source";
    KernelMetric "krt_metric" "Kernel.metric";
    KernelPrefsrc "krt_prefsrc" "Kernel.prefsrc";
    KernelRealm "krt_realm" "Kernel.realm";
    KernelScope "krt_scope" "Kernel.scope";
    KernelLock "krt_lock" "Kernel.lock";
    KernelMtu "krt_mtu" "Kernel.mtu";
    KernelWindow "krt_window" "Kernel.window";
    KernelRtt "krt_rtt" "Kernel.rtt";
    KernelRttvar "krt_rttvar" "Kernel.rttvar";
    KernelSsthresh "krt_ssthresh" "Kernel.ssthresh";
    KernelCwnd "krt_cwnd" "Kernel.cwnd";
    KernelAdvmss "krt_advmss" "Kernel.advmss";
    KernelReordering "krt_reordering" "Kernel.reordering";
    KernelHoplimit "krt_hoplimit" "Kernel.hoplimit";
    KernelInitcwnd "krt_initcwnd" "Kernel.initcwnd";
    KernelFeatures "krt_features" "Kernel.features";
    KernelRtoMin "krt_rto_min" "Kernel.rto_min";
    KernelInitrwnd "krt_initrwnd" "Kernel.initrwnd";
    KernelQuickack "krt_quickack" "Kernel.quickack";
    KernelCongctl "krt_congctl" "Kernel.congctl";
    KernelFastopenNoCookie "krt_fastopen_no_cookie" "Kernel.fastopen_no_cookie";
    OspfMetric1 "ospf_metric1" "OSPF.metric1";
    OspfMetric2 "ospf_metric2" "OSPF.metric2";
    OspfTag "ospf_tag" "OSPF.tag";
    OspfRouterId "ospf_router_id" "OSPF.router_id";
    RipMetric "rip_metric" "RIP.metric";
    RipTag "rip_tag" "RIP.tag";
    BabelMetric "babel_metric" "Babel.metric";
    BabelRouterId "babel_router_id" "Babel.router_id";
    BabelSeqno "babel_seqno" "Babel.seqno";
    RadvPreference "radv_preference" "RAdv.preference";
    RadvLifetime "radv_lifetime" "RAdv.lifetime";
    MplsLabel "mpls_label" "MPLS.label";
    MplsPolicy "mpls_policy" "MPLS.policy";
    MplsClass "mpls_class" "MPLS.class";
    AspaProviders "aspa_providers" "ASPA.providers";
}

/// The value of an attribute outside BGP: any type of the filter language that a route can hold.
/// Lists and paths are in wire form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// `bool`
    Bool(bool),
    /// `int`
    Int(u32),
    /// `ip`
    Ip(IpAddr),
    /// `quad`
    Quad(u32),
    /// `pair`
    Pair(u32),
    /// `prefix`
    Prefix(Prefix),
    /// `ec`
    Ec(u64),
    /// `lc`
    Lc(LargeCommunity),
    /// `rd`: the eight bytes.
    Rd(u64),
    /// An enumeration: the filter language's number of its type, and the value.
    Enum(u16, u32),
    /// `string`
    String(Arc<str>),
    /// `bytestring`
    Bytes(Arc<[u8]>),
    /// `bgppath`
    Path(Arc<[u8]>),
    /// `clist`
    Communities(Arc<[u8]>),
    /// `eclist`
    ExtCommunities(Arc<[u8]>),
    /// `lclist`
    LargeCommunities(Arc<[u8]>),
    /// Numbers of ASes; filters cannot look at them.
    Asns(Arc<[u32]>),
    /// Of a type that only the filter language knows.
    Foreign(Foreign),
}

/// A value of a type that only the filter language knows: a set, a mask. It is what it is written as: values of
/// one type with one text are equal.
#[derive(Clone, Debug)]
pub struct Foreign {
    kind: Arc<str>,
    text: Arc<str>,
    value: Arc<dyn Any + Send + Sync>,
}

impl Foreign {
    /// A value of this type, with this text.
    pub fn new(kind: &str, text: &str, value: Arc<dyn Any + Send + Sync>) -> Self {
        Self { kind: kind.into(), text: text.into(), value }
    }

    /// The value, to who knows its type.
    pub fn value<T: 'static>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    fn key(&self) -> (&str, &str) {
        (&self.kind, &self.text)
    }
}

impl PartialEq for Foreign {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Foreign {}

impl PartialOrd for Foreign {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Foreign {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Foreign {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// As in `show route all`: bare, without the filter language's parentheses around lists.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => f.write_str(if *value { "TRUE" } else { "FALSE" }),
            Self::Int(value) => value.fmt(f),
            Self::Ip(value) => value.fmt(f),
            Self::Quad(value) => fmt::Display::fmt(&Quad(*value), f),
            Self::Pair(value) => fmt::Display::fmt(&Community(*value), f),
            Self::Prefix(value) => fmt::Display::fmt(value, f),
            Self::Ec(value) => fmt::Display::fmt(&ExtCommunity(*value), f),
            Self::Lc(value) => fmt::Display::fmt(value, f),
            Self::Rd(value) => write_rd(*value, f),
            Self::Enum(kind, value) => write!(f, "(enum {kind:x}){value}"),
            Self::String(value) => f.write_str(value),
            Self::Bytes(bytes) => Hex { bytes, between: ":" }.fmt(f),
            Self::Path(value) => fmt::Display::fmt(&AsPath(value), f),
            Self::Communities(value) => fmt::Display::fmt(&Communities::new(value), f),
            Self::ExtCommunities(value) => fmt::Display::fmt(&ExtCommunities::new(value), f),
            Self::LargeCommunities(value) => fmt::Display::fmt(&LargeCommunities::new(value), f),
            Self::Foreign(value) => f.write_str(&value.text),
            Self::Asns(numbers) => {
                for (index, number) in numbers.iter().enumerate() {
                    write!(f, "{}{number}", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

/// Route distinguisher (RFC 4364 section 4.2): `65000:1`, `10.0.0.1:1`, `2:65536:1`.
fn write_rd(value: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let wide = (value >> 16) as u32;
    let (short, low16, low32) = ((value >> 32) as u16, value as u16, value as u32);
    match value >> 48 {
        0 => write!(f, "{short}:{low32}"),
        1 => write!(f, "{}:{low16}", Quad(wide)),
        2 if wide > 0xffff => write!(f, "{wide}:{low16}"),
        2 => write!(f, "2:{wide}:{low16}"),
        _ => write!(f, "{:08x}:{low32:08x}", value >> 32),
    }
}

/// Bytes in hexadecimal with something between them.
pub(crate) struct Hex<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) between: &'static str,
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.bytes.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { self.between })?;
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        assert_eq!(AttrId::from_name("krt_prefsrc"), Some(AttrId::KernelPrefsrc));
        assert_eq!(AttrId::KernelPrefsrc.v2_name(), "Kernel.prefsrc");
        assert_eq!(AttrId::from_name("mine"), None);
        assert_eq!(AttrId::Custom("mine".into()).name(), "mine");
    }

    #[test]
    fn values_as_shown() {
        assert_eq!(Value::Bytes([0xde, 0xad].as_slice().into()).to_string(), "de:ad");
        assert_eq!(Value::Communities([0, 1, 0, 2].as_slice().into()).to_string(), "(1,2)");
        assert_eq!(Value::Rd(0x0000_fde8_0000_0001).to_string(), "65000:1");
        assert_eq!(Value::Rd(0x0001_0a00_0001_0002).to_string(), "10.0.0.1:2");
        assert_eq!(Value::Rd(0x0002_0000_0005_0002).to_string(), "2:5:2");
    }
}
