//! The only file that touches what Rhai calls volatile: the walk over the AST, the list of known functions, closures that keep their world.
//! When Rhai is upgraded, this is what has to be looked at.

#![expect(deprecated, reason = "Rhai marks its internals as deprecated to say that they may change; the version is pinned")]

mod bound;
mod compared;
pub(super) mod condition;

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTFlags, ASTNode, BinaryExpr, Dynamic, Engine, Expr, FnCallExpr, FnPtr, LexError, Position, Stmt, Token};

use super::explain::place;
pub(super) use bound::{Bound, Calls};
pub(super) use compared::{Compared, Side};

/// Ends a compilation with the sentence that `burn` gives. A word or sign is a step; a variable is a hundred, because the compiler looks through all
/// that there are whenever one is named.
pub(super) fn limit_compiler(engine: &mut Engine, burn: fn(u64) -> Option<&'static str>) {
    engine.on_parse_token(move |token, _, _| match burn(if matches!(token, Token::Let | Token::Const) { 100 } else { 1 }) {
        None => token,
        Some(problem) => Token::LexError(LexError::ImproperSymbol(String::new(), problem.to_owned()).into()),
    });
}

/// What an engine knows by name.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Function → numbers of arguments (a method's receiver counts).
    pub functions: BTreeMap<String, BTreeSet<usize>>,
    /// Properties of any type.
    pub properties: BTreeSet<String>,
}

/// Reads an engine's functions.
pub(super) fn known(engine: &Engine) -> Known {
    let mut known = Known::default();
    for (name, arguments) in engine.collect_fn_metadata(None, |info| Some((info.metadata.name.to_string(), info.metadata.num_params)), true) {
        if let Some(property) = name.strip_prefix("get$") {
            known.properties.insert(property.to_owned());
        } else {
            known.functions.entry(name).or_default().insert(arguments);
        }
    }
    known
}

/// A place in a file: line and column, from 1.
pub(super) type Place = (usize, usize);

/// A property that is read or set.
#[derive(Debug)]
pub(super) struct Property {
    pub name: String,
    /// The variable before the dot, when it is one.
    pub of: Option<String>,
    pub at: Place,
}

/// A call of a function or method.
#[derive(Debug)]
pub(super) struct Call {
    pub name: String,
    pub method: bool,
    /// The alias in `alias::name(…)`.
    pub module: Option<String>,
    /// The variable before the dot, when it is one.
    pub of: Option<String>,
    /// Number of arguments without the receiver.
    pub arguments: usize,
    /// The first argument, when it is a plain text.
    pub text: Option<String>,
    /// The keys of the second argument, when it is a map that is written out; empty when there is none.
    pub keys: Option<Vec<(String, Place)>>,
    pub at: Place,
}

/// `import "name" as alias`; no name when it is not a plain text.
#[derive(Debug)]
pub(super) struct Import {
    pub name: Option<String>,
    pub alias: String,
    pub at: Place,
}

/// A closure that is written out.
#[derive(Debug)]
pub(super) struct Closure {
    /// The method that it is an argument of, when it is nothing but that.
    pub handed_to: Option<String>,
    pub at: Place,
}

/// What a piece of code mentions.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub properties: Vec<Property>,
    pub calls: Vec<Call>,
    pub keys: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Functions and closures that are pointed to.
    pub pointers: BTreeSet<String>,
    /// Closures that are handed to a method, with its name.
    pub handed: Vec<(String, String)>,
    pub closures: Vec<Closure>,
    /// Variables that something is assigned to, or to a part of.
    pub assigned: Vec<(String, Place)>,
    pub compared: Vec<Compared>,
}

/// A function or closure of a file.
#[derive(Debug)]
pub(super) struct Function {
    pub name: String,
    pub parameters: Vec<String>,
    pub at: Place,
    pub code: Code,
}

impl Function {
    pub(super) fn is_closure(&self) -> bool {
        self.name.starts_with("anon$")
    }
}

/// What a file mentions: at top level and in each function.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub top: Code,
    pub functions: Vec<Function>,
    /// What is given at top level as `const NAME = literal`.
    pub constants: BTreeMap<String, Dynamic>,
}

/// Walks over a compiled file.
pub(super) fn outline(ast: &AST) -> Outline {
    let read = |ast: &AST| {
        let mut code = Code::default();
        ast.walk(&mut |path: &[ASTNode]| {
            code.note(path);
            true
        });
        code
    };
    let functions = ast.iter_fn_def().map(|function| {
        let mut alone = ast.clone_functions_only();
        alone.retain_functions(|_, _, name, parameters| name == function.name.as_str() && parameters == function.params.len());
        Function {
            name: function.name.to_string(),
            parameters: function.params.iter().map(ToString::to_string).collect(),
            at: place(function.body.start_position()),
            code: read(&alone),
        }
    });
    let constant = |statement: &Stmt| match statement {
        Stmt::Var(parts, flags, _) if flags.contains(ASTFlags::CONSTANT) => Some((parts.0.name.to_string(), parts.1.get_literal_value(None)?)),
        _ => None,
    };
    let constants = ast.statements().iter().filter_map(constant).collect();
    Outline { top: read(&ast.clone_statements_only()), functions: functions.collect(), constants }
}

impl Code {
    fn note(&mut self, path: &[ASTNode]) {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::FnCall(call, at)) | ASTNode::Expr(Expr::FnCall(call, at))) => self.note_call(call, false, None, *at),
            Some(ASTNode::Expr(expression @ Expr::MethodCall(call, at))) => self.note_call(call, true, receiver(path, expression), *at),
            Some(ASTNode::Expr(expression @ Expr::Property(property, at))) => {
                self.properties.push(Property { name: property.2.to_string(), of: receiver(path, expression), at: place(*at) });
            }
            Some(ASTNode::Expr(expression @ Expr::Dot(..))) => self.compared.extend(compared::contained(expression)),
            Some(ASTNode::Expr(Expr::Map(map, _))) => self.keys.extend(map.0.iter().map(|(key, _)| key.name.to_string())),
            Some(ASTNode::Expr(Expr::DynamicConstant(value, at))) => self.note_constant(value, *at, path),
            Some(ASTNode::Stmt(Stmt::Assignment(parts))) => {
                let target = &parts.1.lhs;
                self.assigned.extend(root(target).map(|name| (name, place(target.start_position()))));
                // Assigning to a property may be what makes it.
                self.keys.extend(last_property(target));
            }
            Some(ASTNode::Stmt(Stmt::Import(import, at))) => {
                let name = text(&import.0);
                self.imports.push(Import { name, alias: import.1.name.to_string(), at: place(*at) });
            }
            _ => {}
        }
    }

    fn note_call(&mut self, call: &FnCallExpr, method: bool, of: Option<String>, at: Position) {
        let name = call.name.to_string();
        if call.namespace.is_empty() {
            self.compared.extend(compared::compared(&name, &call.args, place(at)));
        }
        if call.is_operator_call() {
            return;
        }
        let text = call.args.first().and_then(text);
        let module = (!call.namespace.is_empty()).then(|| call.namespace.root().to_owned());
        let keys = match call.args.get(1) {
            None => Some(Vec::new()),
            Some(Expr::Map(map, _)) => Some(map.0.iter().map(|(key, _)| (key.name.to_string(), place(key.pos))).collect()),
            Some(_) => None,
        };
        self.calls.push(Call { name, method, module, of, arguments: call.args.len(), text, keys, at: place(at) });
    }

    fn note_constant(&mut self, value: &Dynamic, at: Position, path: &[ASTNode]) {
        if let Ok(map) = value.as_map_ref() {
            self.keys.extend(map.keys().map(ToString::to_string));
        }
        let Some(pointer) = value.read_lock::<FnPtr>() else { return };
        self.pointers.insert(pointer.fn_name().to_owned());
        // Captured variables wrap the closure: a block that shares them, then a call of "curry".
        let outer = path.iter().rev().skip(1).find(|node| match node {
            ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)) => call.name != "curry",
            ASTNode::Expr(Expr::Stmt(block)) => !matches!(block.statements(), [Stmt::Share(_), _]),
            ASTNode::Stmt(Stmt::Expr(_)) => false,
            _ => true,
        });
        let to = match outer {
            Some(ASTNode::Expr(Expr::MethodCall(call, _))) => Some(call.name.to_string()),
            _ => None,
        };
        self.handed.extend(to.iter().map(|name| (name.clone(), pointer.fn_name().to_owned())));
        self.closures.push(Closure { handed_to: to, at: place(at) });
    }
}

fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::StringConstant(text, _) => Some(text.to_string()),
        _ => None,
    }
}

fn variable(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Variable(variable, ..) if variable.2.is_empty() => Some(variable.1.to_string()),
        _ => None,
    }
}

/// `variable.property` and nothing more.
fn field_of(expression: &Expr) -> Option<(String, String)> {
    match expression {
        Expr::Dot(sides, ..) => match &sides.rhs {
            Expr::Property(property, _) => variable(&sides.lhs).map(|variable| (variable, property.2.to_string())),
            _ => None,
        },
        _ => None,
    }
}

/// The variable at the beginning of a chain of dots and brackets.
fn root(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Dot(sides, ..) | Expr::Index(sides, ..) => root(&sides.lhs),
        other => variable(other),
    }
}

/// The property at the end of a chain of dots and brackets.
fn last_property(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Dot(sides, ..) | Expr::Index(sides, ..) => last_property(&sides.rhs),
        Expr::Property(property, _) => Some(property.2.to_string()),
        _ => None,
    }
}

/// The variable that a property or method is directly read from. Chains are nested to the right: `a.b.c` is `a.(b.c)`.
fn receiver(path: &[ASTNode], expression: &Expr) -> Option<String> {
    let mut inner = expression;
    for node in path.iter().rev().skip(1) {
        let ASTNode::Expr(outer) = node else { return None };
        let (Expr::Dot(sides, ..) | Expr::Index(sides, ..)) = outer else { return None };
        let BinaryExpr { lhs, rhs } = &**sides;
        if std::ptr::eq(rhs, inner) {
            return variable(lhs);
        }
        if !std::ptr::eq(lhs, inner) {
            return None;
        }
        inner = outer;
    }
    None
}
