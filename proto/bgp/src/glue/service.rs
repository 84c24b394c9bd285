//! The protocol type, and what its instances share: listening sockets.

use core::time::Duration;
use std::any::Any;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use dunlin_core::protocol::{
    ChannelKind, ChannelRules, Environment, Instance, InstanceConfig, Needed, OtherChannel, Phase,
    ProtocolKind, Section, Service, StartError,
};
use dunlin_filter::ChannelFilter;
use dunlin_runtime::{Address, Class, Context, ListenOptions, OwnedSocket, Time};

use super::instance::{BgpInstance, Shared};
use super::listener::{Lease, ListenKey, Listener, ListenerMessage};
use super::session::{Accepted, Session, SessionSpec, system_text};
use crate::config::{BgpConfig, BgpSection};

/// Families that are read, and not spoken yet.
const OTHER_CHANNELS: &[OtherChannel] = &[
    OtherChannel::IPV4_MULTICAST,
    OtherChannel::IPV6_MULTICAST,
    OtherChannel::IPV4_MPLS,
    OtherChannel::IPV6_MPLS,
    OtherChannel::VPN4_MPLS,
    OtherChannel::VPN6_MPLS,
    OtherChannel::VPN4_MULTICAST,
    OtherChannel::VPN6_MULTICAST,
    // As the guide of BIRD has them.
    OtherChannel::VPN4,
    OtherChannel::VPN6,
    OtherChannel::FLOW4,
    OtherChannel::FLOW6,
    OtherChannel::EVPN,
    OtherChannel::MPLS,
    OtherChannel::NEIGHBORS,
];

/// The protocol type `bgp`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bgp;

impl ProtocolKind for Bgp {
    fn keyword(&self) -> &'static str {
        "bgp"
    }

    fn type_name(&self) -> &'static str {
        "BGP"
    }

    fn phase(&self) -> Phase {
        Phase::Rest
    }

    fn channels(&self) -> ChannelRules {
        ChannelRules {
            kinds: &[ChannelKind::Ipv4, ChannelKind::Ipv6],
            others: OTHER_CHANNELS,
            needed: Needed::Any,
            preference: 100,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Reject,
        }
    }

    fn uses_identity(&self) -> bool {
        true
    }

    fn section(&self) -> Box<dyn Section> {
        Box::<BgpSection>::default()
    }

    fn service(&self) -> Box<dyn Service> {
        Box::<BgpService>::default()
    }
}

/// What all sessions share.
#[derive(Default)]
struct BgpService {
    listener: Option<Address<ListenerMessage>>,
    leases: Vec<Arc<Lease>>,
    /// When sockets were last given up: the listener may not have closed them yet.
    closed: Option<Time>,
}

/// So long after it was given up a socket may be what is in the way of another one.
const CLOSING: Duration = Duration::from_secs(1);

impl BgpService {
    fn listener(
        &mut self,
        cx: &mut Context<'_>,
        environment: &Environment,
    ) -> Address<ListenerMessage> {
        let log = environment.log.log();
        let spawn = || cx.spawn("bgp listener", Class::Control, Listener::new(log.clone()));
        self.listener.get_or_insert_with(spawn).clone()
    }

    /// A listening socket for the session, opened if there is none. Those that nobody holds any
    /// more are closed when another one is needed, not before: a session that restarts gets its
    /// own again without a moment in which nobody listens.
    fn lease(
        &mut self,
        cx: &mut Context<'_>,
        environment: &Environment,
        bgp: &BgpConfig,
    ) -> Result<Arc<Lease>, StartError> {
        let key = listen_key(bgp);
        if let Some(lease) = self.leases.iter().find(|lease| *lease.key() == key) {
            return Ok(Arc::clone(lease));
        }
        let before = self.leases.len();
        self.leases.retain(|lease| Arc::strong_count(lease) > 1);
        if self.leases.len() < before {
            self.closed = Some(cx.now());
        }
        let closing = self.closed.is_some_and(|closed| cx.now().since(closed) < CLOSING);
        let options = listen_options(&key, bgp);
        let listener = self.listener(cx, environment);
        let message = match open(cx, &key, &options) {
            Ok(socket) => ListenerMessage::Open(key.clone(), socket),
            // Perhaps one of those that are being closed is in the way: the listener tries again
            // behind that.
            Err(error) if closing && error.kind() == ErrorKind::AddrInUse => {
                ListenerMessage::Listen(key.clone(), Box::new(options))
            }
            Err(error) => {
                let text = format!("cannot listen on {}: {}", key.local, system_text(&error));
                return Err(StartError::Failed(text));
            }
        };
        // Without a listener the daemon is going down.
        let _ = listener.send(Class::Control, message);
        let lease = Lease::new(key, listener);
        self.leases.push(Arc::clone(&lease));
        Ok(lease)
    }

    fn start_session(
        &mut self,
        cx: &mut Context<'_>,
        environment: Environment,
        config: Arc<InstanceConfig>,
        accepted: Option<Accepted>,
    ) -> Result<Box<dyn Instance>, StartError> {
        let Some(bgp) = config.specific::<BgpConfig>().cloned() else {
            return Err(StartError::Failed("not a configuration of BGP".to_owned()));
        };
        let lease = self.lease(cx, &environment, &bgp)?;
        let shared: Arc<Shared> = Arc::default();
        let log = environment.log.log().clone();
        let reporter = environment.reporter.clone();
        let spec = SessionSpec {
            environment,
            config: Arc::clone(&config),
            bgp: Arc::new(bgp),
            lease,
            shared: Arc::clone(&shared),
            accepted,
        };
        let session = cx.spawn_with(&config.name, Class::Routing, |own| Session::new(spec, own));
        Ok(Box::new(BgpInstance { session, config, shared, log, reporter }))
    }
}

impl Service for BgpService {
    fn start(
        &mut self,
        cx: &mut Context<'_>,
        environment: Environment,
        config: Arc<InstanceConfig>,
    ) -> Result<Box<dyn Instance>, StartError> {
        self.start_session(cx, environment, config, None)
    }

    fn start_child(
        &mut self,
        cx: &mut Context<'_>,
        environment: Environment,
        config: Arc<InstanceConfig>,
        payload: Box<dyn Any + Send>,
    ) -> Result<Box<dyn Instance>, StartError> {
        let accepted = payload.downcast::<Accepted>().ok().map(|accepted| *accepted);
        self.start_session(cx, environment, config, accepted)
    }

    fn child_config(
        &self,
        parent: &InstanceConfig,
        child: &InstanceConfig,
    ) -> Option<InstanceConfig> {
        let (ours, theirs) = (parent.specific::<BgpConfig>()?, child.specific::<BgpConfig>()?);
        let crate::config::Remote::Range(range) = &ours.remote else { return None };
        let within = range.contains_addr(theirs.remote_address());
        within.then(|| {
            let bgp = BgpConfig { remote: theirs.remote.clone(), ..ours.clone() };
            InstanceConfig { specific: Arc::new(bgp), ..parent.clone() }
        })
    }
}

fn open(cx: &mut Context<'_>, key: &ListenKey, options: &ListenOptions) -> io::Result<OwnedSocket> {
    let socket = cx.listen(key.local, options)?;
    cx.release(socket)
}

fn listen_key(bgp: &BgpConfig) -> ListenKey {
    let any = match bgp.remote_address() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let local = if bgp.strict_bind { bgp.source.unwrap_or(any) } else { any };
    ListenKey {
        local: SocketAddr::new(local, bgp.port),
        device: bgp.interface.clone().filter(|_| bgp.strict_bind),
    }
}

fn listen_options(key: &ListenKey, bgp: &BgpConfig) -> ListenOptions {
    ListenOptions {
        device: key.device.as_ref().map(|name| name.to_string()),
        // Some neighbour may check it before we know who it is (RFC 5082).
        ttl: Some(u8::MAX),
        free_bind: bgp.free_bind,
        ..ListenOptions::default()
    }
}
