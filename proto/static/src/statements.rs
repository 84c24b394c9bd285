//! Running the statements behind a route.

use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_core::interfaces::Interfaces;
use dunlin_core::log::LogClass;
use dunlin_core::protocol::ProtocolLog;
use dunlin_filter::{Program, ResolvedHop, RouteInput, Scratch, Sink, Validation, Verdict, run};
use dunlin_net::Network;

/// A route on its way out of the configuration.
pub(crate) struct Origination<'a> {
    pub(crate) net: Network,
    /// Name of the protocol instance.
    pub(crate) name: &'a str,
    pub(crate) interfaces: &'a Interfaces,
    /// What ROA and ASPA tables say.
    pub(crate) validation: &'a dyn Validation,
    pub(crate) log: &'a ProtocolLog,
}

impl Origination<'_> {
    /// The attributes after the statements; none if they reject the route or fail.
    pub(crate) fn run(
        &self,
        program: &Program,
        scratch: &mut Scratch,
        attrs: Arc<Attrs>,
    ) -> Option<Arc<Attrs>> {
        let hop = attrs.next_hop().hops().first();
        let input = RouteInput {
            net: self.net,
            attrs: &attrs,
            protocol: self.name,
            from: None,
            hop: ResolvedHop {
                gateway: hop.and_then(|hop| hop.gateway),
                interface: hop.and_then(|hop| hop.iface),
                ..ResolvedHop::default()
            },
            interfaces: Some(self.interfaces),
            validation: Some(self.validation),
        };
        match run(program, scratch, &input, &mut ToLog(self.log)) {
            Verdict::Accept(None) => Some(attrs),
            Verdict::Accept(Some(changed)) => Some(changed),
            Verdict::Reject => None,
            Verdict::Error(error) => {
                scratch.report(&error, self.log);
                None
            }
        }
    }
}

/// What filters print.
struct ToLog<'a>(&'a ProtocolLog);

impl Sink for ToLog<'_> {
    fn line(&mut self, text: &str) {
        self.0.log().write(LogClass::Info, format_args!("{text}"));
    }

    fn wants_lines(&self) -> bool {
        self.0.log().wants(LogClass::Info)
    }
}
