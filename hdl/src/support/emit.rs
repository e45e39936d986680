//! Verilog of a unit, checked.

use std::collections::BTreeSet;

use rust_hdl_core::prelude::*;
use thiserror::Error;

/// Why a unit has no Verilog.
#[derive(Debug, Error)]
pub enum EmitError {
    /// rust-hdl found a signal without driver, a loop, or a written input.
    #[error("{module}: {problem}")]
    Check {
        /// Name of the unit.
        module: String,
        /// What rust-hdl found.
        problem: String,
    },
    /// An expression that Rust and Verilog read differently.
    #[error("{module}: a bit operator beside a comparison needs parentheses: {expression}")]
    Precedence {
        /// Name of the unit.
        module: String,
        /// The line of Verilog.
        expression: String,
    },
    /// A name that means something else in Verilog.
    #[error("{module}: `{name}` is a keyword of Verilog or SystemVerilog")]
    Keyword {
        /// Name of the unit.
        module: String,
        /// The name.
        name: String,
    },
}

/// Bit operators, which bind weaker than comparisons in Verilog and stronger in Rust.
const BIT_OPERATORS: [&str; 3] = ["&", "|", "^"];
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// Keywords that rust-hdl lets through as names (IEEE 1800-2017, annex B).
const KEYWORDS: &str = "alias always and assert assign assume automatic before begin bind bins bit break buf byte \
    case cell chandle checker class const constraint context continue cover cross deassign default defparam design \
    disable dist do edge else end enum event expect export extends extern final for force foreach forever fork \
    function generate global highz0 if iff import include initial inout input inside instance int integer interface \
    intersect join large let library local logic longint matches medium modport module nand negedge new nor not null \
    or output package packed parameter posedge primitive priority program property protected pull0 pull1 pure rand \
    ref reg reject release repeat restrict return rtran scalared sequence shortint shortreal showcancelled signed \
    small soft solve specify static string strong struct super supply0 supply1 table tagged task this throughout \
    time timeprecision timeunit tran tri type typedef union unique unsigned until untyped use uwire var vectored \
    virtual void wait weak while wildcard wire with within wor xnor xor";

/// Stack of the thread that elaborates: rust-hdl keeps every bit of every signal in a `bool`.
const STACK_BYTES: usize = 1 << 30;

/// The Verilog of the unit that `build` makes, its top module called `name`.
pub fn verilog<U: Block>(build: impl FnOnce() -> U + Send, name: &str) -> Result<String, EmitError> {
    std::thread::scope(|scope| {
        let elaborate = || emit(&mut build(), name);
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, elaborate);
        let thread = thread.expect("a thread can be started");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn emit<U: Block>(unit: &mut U, name: &str) -> Result<String, EmitError> {
    unit.connect_all();
    check_all(unit)
        .map_err(|cause| EmitError::Check { module: name.into(), problem: format!("{cause:?}") })?;
    let text = generate_verilog_unchecked(unit);
    if let Some(line) = text.lines().find(|line| mixes_precedence(line)) {
        return Err(EmitError::Precedence { module: name.into(), expression: line.trim().into() });
    }
    let keywords: BTreeSet<&str> = KEYWORDS.split_whitespace().collect();
    match declared_names(&text).find(|name| keywords.contains(name)) {
        Some(keyword) => Err(EmitError::Keyword { module: name.into(), name: keyword.into() }),
        None => Ok(rename_top(&with_signed_constants(&text), name)),
    }
}

/// Names that declarations introduce: the last word of a signal's line, the
/// second of a block's (`MODULE NAME(`).
fn declared_names(text: &str) -> impl Iterator<Item = &str> {
    const SIGNALS: [&str; 6] = ["input wire", "output reg", "output wire", "reg", "wire", "localparam"];
    let lines = text.lines().map(str::trim);
    lines.filter_map(move |line| match line.strip_suffix('(') {
        Some(block) if block.split_whitespace().count() == 2 => block.split_whitespace().last(),
        _ if SIGNALS.iter().any(|kind| line.starts_with(kind)) => {
            line.trim_end_matches([';', ',', ')']).split_whitespace().last()
        }
        _ => None,
    })
}

/// Does a blocking assignment or condition have a bit operator and a comparison side by side?
fn mixes_precedence(line: &str) -> bool {
    let line = line.trim();
    let expression = match line.split_once(" = ") {
        Some((_, value)) => value,
        None if line.starts_with("if (") || line.starts_with("else if (") => line,
        None => return false,
    };
    // Operators seen so far at each depth of parentheses: bit operator, comparison.
    let mut depths = vec![(false, false)];
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    for token in spaced.split_whitespace() {
        match token {
            "(" => depths.push((false, false)),
            ")" if depths.len() > 1 => drop(depths.pop()),
            _ => {
                let seen = depths.last_mut().expect("the outermost depth stays");
                seen.0 |= BIT_OPERATORS.contains(&token);
                seen.1 |= COMPARISONS.contains(&token);
                if *seen == (true, true) {
                    return true;
                }
            }
        }
    }
    false
}

/// Gives every signed constant its width: yosys (0.23 to 0.70) takes `localparam signed x = 57'h…` for unsigned,
/// and with it each sum and comparison that it stands in, against IEEE 1364-2005, 12.2.
fn with_signed_constants(text: &str) -> String {
    let line = |line: &str| {
        let (indent, constant) = line.split_once("localparam signed ")?;
        // Verilog of a part that was emitted before has them already.
        let constant = Some(constant).filter(|constant| !constant.starts_with('['))?;
        let (name, value) = constant.split_once(" = ")?;
        let width: u32 = value.split_once('\'')?.0.parse().ok()?;
        Some(format!("{indent}localparam signed [{}:0] {name} = {value}", width - 1))
    };
    text.split_inclusive('\n').map(|text| line(text).unwrap_or_else(|| text.into())).collect()
}

/// rust-hdl calls the top module `top` and prefixes all others with it.
fn rename_top(text: &str, name: &str) -> String {
    text.replace("module top(", &format!("module {name}("))
        .replace("top$", &format!("{name}$"))
        .replace("module top;", &format!("module {name};"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{Register, S};
    use rust_hdl_widgets::dff_setup;

    /// A block with a name that is a keyword of SystemVerilog.
    #[derive(LogicBlock, Default)]
    struct KeywordBlock {
        clock: Signal<In, Clock>,
        x: Signal<In, S<4>>,
        y: Signal<Out, S<4>>,
        table: Register<S<4>>,
    }

    impl Logic for KeywordBlock {
        #[hdl_gen]
        fn update(&mut self) {
            dff_setup!(self, clock, table);
            self.table.d.next = self.x.val();
            self.y.next = self.table.q.val();
        }
    }

    /// A signal with such a name, and one that nobody drives.
    #[derive(LogicBlock, Default)]
    struct KeywordSignal {
        bit: Signal<In, Bit>,
        y: Signal<Out, Bit>,
    }

    impl Logic for KeywordSignal {
        #[hdl_gen]
        fn update(&mut self) {
            self.y.next = self.bit.val();
        }
    }

    #[derive(LogicBlock, Default)]
    struct Undriven {
        x: Signal<In, Bit>,
        y: Signal<Out, Bit>,
        open: Signal<Local, Bit>,
    }

    impl Logic for Undriven {
        #[hdl_gen]
        fn update(&mut self) {
            self.y.next = self.x.val() & self.open.val();
        }
    }

    #[test]
    fn keywords_are_refused_as_names() {
        let refusal = verilog(KeywordBlock::default, "unit").unwrap_err().to_string();
        assert_eq!(refusal, "unit: `table` is a keyword of Verilog or SystemVerilog");
        let refusal = verilog(KeywordSignal::default, "unit").unwrap_err().to_string();
        assert_eq!(refusal, "unit: `bit` is a keyword of Verilog or SystemVerilog");
    }

    #[derive(LogicBlock, Default)]
    struct Mixed {
        a: Signal<In, Bits<4>>,
        b: Signal<In, Bits<4>>,
        y: Signal<Out, Bit>,
    }

    impl Logic for Mixed {
        #[hdl_gen]
        fn update(&mut self) {
            self.y.next = self.a.val() & self.b.val() == self.b.val();
        }
    }

    #[test]
    fn mixed_precedence_is_refused() {
        let refusal = verilog(Mixed::default, "unit").unwrap_err().to_string();
        assert_eq!(refusal, "unit: a bit operator beside a comparison needs parentheses: y = a & b == b;");
        assert!(!mixes_precedence("x = (a & b) == (c | d);"));
        assert!(!mixes_precedence("if ((a == b) & (c != d)) begin"));
        assert!(mixes_precedence("if (a == b & c) begin"));
    }

    #[derive(LogicBlock)]
    struct Limited {
        x: Signal<In, S<8>>,
        y: Signal<Out, Bit>,
        least: Constant<S<8>>,
    }

    impl Logic for Limited {
        #[hdl_gen]
        fn update(&mut self) {
            self.y.next = self.x.val() < self.least.val();
        }
    }

    #[test]
    fn signed_constants_have_a_width() {
        let least = Constant::new(S::new(-3));
        let unit = move || Limited { x: Signal::default(), y: Signal::default(), least };
        let text = verilog(unit, "unit").unwrap();
        assert!(text.contains("localparam signed [7:0] least = 8'hfd;"), "{text}");
        assert_eq!(with_signed_constants(&text), text);
    }

    #[test]
    fn signals_without_a_driver_are_refused() {
        let refusal = verilog(Undriven::default, "unit").unwrap_err();
        assert!(matches!(refusal, EmitError::Check { .. }), "{refusal}");
    }
}
