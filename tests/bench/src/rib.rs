//! What a receiver has of each prefix, and what it should have.

/// In `Rib::want`: any state will do.
pub const ANY: u8 = 255;

/// A route's state in one byte: absent, or AS-path length and policy marker.
pub fn state(path_len: u8, marker: u8) -> u8 {
    path_len.clamp(1, 31) | (marker & 3) << 5
}

/// What a receiver has of each prefix against what it should have.
pub struct Rib {
    pub have: Vec<u8>,
    pub want: Vec<u8>,
    pub mismatch: usize,
    /// Path lengths don't matter (the null forwarder chooses no best path).
    pub lax: bool,
    /// If asked for: a number for the attributes of each prefix, 0 without a route.
    pub digests: Option<Vec<u64>>,
}

impl Rib {
    pub fn new(n: usize, lax: bool) -> Rib {
        Rib { have: vec![0; n], want: vec![ANY; n], mismatch: 0, lax, digests: None }
    }

    fn wrong(&self, want: u8, have: u8) -> bool {
        want != have && want != ANY && !(self.lax && want != 0 && have != 0)
    }

    pub fn expect(&mut self, want: Vec<u8>) {
        self.want = want;
        let wrong = |(&w, &h): (&u8, &u8)| self.wrong(w, h);
        self.mismatch = self.want.iter().zip(&self.have).filter(|&p| wrong(p)).count();
    }

    /// The state of a prefix, and the number of its attributes if those are asked for.
    pub fn set(&mut self, id: u32, now: u8, digest: u64) {
        let id = id as usize;
        if let Some(digests) = &mut self.digests {
            digests[id] = if now == 0 { 0 } else { digest };
        }
        let (want, was) = (self.want[id], self.have[id]);
        self.have[id] = now;
        self.mismatch += self.wrong(want, now) as usize;
        self.mismatch -= self.wrong(want, was) as usize;
    }

    /// The session is gone, and all routes with it.
    pub fn clear(&mut self) {
        self.have.fill(0);
        self.digests.iter_mut().for_each(|digests| digests.fill(0));
        let want = std::mem::take(&mut self.want);
        self.expect(want);
    }
}
