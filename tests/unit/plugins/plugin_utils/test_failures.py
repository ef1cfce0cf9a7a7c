# SPDX-License-Identifier: Apache-2.0
"""What is told of expressions that have no value, as Ansible fails at them."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.holdfast.storage.plugins.plugin_utils import failures

VARIABLES = r"""
three: 3
mapping: {key: 1}
one: "{{ other }}"
other: "{{ one }}"
itself: "{{ [itself] }}"
zero: "{{ three // 0 }}"
rest: "{{ three % 0 }}"
sum: "{{ three + 'a' }}"
text: "{{ 'a' + three }}"
order: "{{ three < 'a' }}"
minus: "{{ -'a' }}"
missing: "{{ mapping.nope }}"
of_number: "{{ three.nope }}"
of_nothing: "{{ none.nope }}"
item: "{{ [1][4] }}"
called: "{{ three() }}"
each: "{% for i in three %}{{ i }}{% endfor %}"
host: "{{ hostvars['nobody'].nope }}"
filter: "{{ three | nosuch }}"
unfinished: "{% if three %}a"
undefined: "{{ nowhere }}"
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    file = tmp_path_factory.mktemp("variables") / "main.yml"
    file.write_text(VARIABLES)
    loader = DataLoader()
    variables = loader.load_from_file(str(file), trusted_as_template=True)
    templar = Templar(loader=loader, variables={**variables, "hostvars": {}})

    def tell(name):
        with pytest.raises(AnsibleError) as refused:
            templar.template(variables[name])
        return failures.told(refused.value)

    return tell


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("one", "can not be evaluated: it refers to itself, or to what refers back to it."),
        ("itself", "can not be evaluated: it refers to itself, or to what refers back to it."),
        ("zero", "can not be evaluated: it divides by zero."),
        ("rest", "can not be evaluated: it divides by zero."),
        ("sum", "can not be evaluated: + does not work with a whole number and text."),
        ("text", "can not be evaluated: + does not work with text and a whole number."),
        ("order", "can not be evaluated: < does not work with a whole number and text."),
        ("minus", "can not be evaluated: unary - does not work with text."),
        ("missing", "can not be evaluated: a mapping has no 'nope'."),
        ("of_number", "can not be evaluated: a whole number has no 'nope'."),
        ("of_nothing", "can not be evaluated: nothing has no 'nope'."),
        ("item", "can not be evaluated: a list has no 4."),
        ("called", "can not be evaluated: a whole number is no function."),
        ("each", "can not be evaluated: a whole number is no list."),
        ("filter", "can not be evaluated: Syntax error in template: No filter named 'nosuch'."),
        ("undefined", "can not be evaluated: 'nowhere' is undefined."),
    ],
)
def test_the_reason_is_in_words_of_the_inventory(told, name, what):
    assert told(name)[0] == what


def test_no_word_of_python_is_left(told):
    for name in re.findall(r"(?m)^(\w+): .*\{[{%]", VARIABLES):
        what, _ = told(name)
        assert not re.search(r"'(int|str|dict|list|NoneType|_Ansible\w+)'|object|recursion|rendering|operand", what), (
            what
        )


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        ("Decryption failed (no vault secrets were found that could decrypt)", "Give the password of its vault"),
        ("Input is not vault encrypted data", "Encrypt the value anew"),
        ("Vault format unhexlify error: Non-hexadecimal digit found", "Encrypt the value anew"),
    ],
)
def test_what_is_in_a_vault_is_not_undefined(reason, fix):
    error = AnsibleError(f"Error rendering template: Attempt to use undecryptable variable: {reason}.")
    what, help_ = failures.told(error)
    assert what == f"has a value of a vault that can not be decrypted: {reason}."
    assert help_.startswith(fix)


def test_the_fix_of_a_circle_is_to_open_it(told):
    assert told("itself")[1].startswith("Take one of these references out")
