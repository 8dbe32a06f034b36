"""A task for a real trainer, as small as it goes: is the count of ones in a window?

A response is right if the number of its odd words lies in a window somewhat above what words drawn evenly give, so
that the policy has something to learn, and can learn too much. Model, tokenizer and prompts are made here; nothing is
downloaded.
"""

import math
from dataclasses import dataclass

from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, set_seed

#: Words of the vocabulary, beside the one that ends a response.
WORDS = 16


@dataclass(frozen=True)
class Counts:
    """The task at one length.

    Attributes
    ----------
    length : int
        Largest number T of tokens in a response.
    stops : bool
        The policy may end a response before. Otherwise every response has T tokens: the word that ends it is then
        not in the model's vocabulary.
    """

    length: int
    stops: bool = False

    @property
    def start(self) -> tuple[float, float]:
        """Mean and standard deviation of the count of ones where all words are equally likely."""
        stop = 1 / (WORDS + 1) if self.stops else 0.0
        chances = [stop * (1 - stop) ** k for k in range(self.length)] + [(1 - stop) ** self.length]
        mean = sum(p * n / 2 for n, p in enumerate(chances))
        square = sum(p * (n / 4 + n**2 / 4) for n, p in enumerate(chances))
        return mean, math.sqrt(square - mean**2)

    @property
    def window(self) -> range:
        """Counts that are right: from one standard deviation above the mean on, two wide."""
        mean, deviation = self.start
        low = math.ceil(mean + deviation)
        return range(low, low + max(round(2 * deviation), 1))

    def reward(self, completion_ids: list[list[int]], **others: object) -> list[float]:
        """1 where the count of ones is in the window, else 0; called by the trainer."""
        return [
            float(sum(token % 2 for token in ids if token < WORDS) in self.window) for ids in completion_ids
        ]

    def model(self, seed: int) -> Qwen2ForCausalLM:
        """A Qwen2 model of some 3,000 parameters, drawn anew."""
        set_seed(seed)
        return Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=WORDS + self.stops,
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                num_key_value_heads=2,
                max_position_embeddings=self.length + 8,
                bos_token_id=None,
                eos_token_id=WORDS,
                pad_token_id=0,
            )
        )


def tokenizer() -> PreTrainedTokenizerFast:
    """Words are the numbers 0 to 15, and <stop>."""
    words = {str(word): word for word in range(WORDS)} | {"<stop>": WORDS}
    made = Tokenizer(models.WordLevel(words, unk_token="0"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<stop>", pad_token="0", unk_token="0")


def prompts(count: int = 64) -> Dataset:
    """Prompts of two words."""
    return Dataset.from_dict({"prompt": [f"{k % WORDS} {3 * k // WORDS % WORDS}" for k in range(count)]})
