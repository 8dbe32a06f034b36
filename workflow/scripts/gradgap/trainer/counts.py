"""A very small task for a real trainer: is the count of ones in a window?

Words are numbers, and an odd word is a one. A response is right if its count of ones lies in a window, somewhat above
the count that random words give. So the policy must learn to write more ones, but not too many. Model, tokenizer and
prompts are made here, and nothing is downloaded.
"""

import math
from dataclasses import dataclass

from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, set_seed

#: Number of words in the vocabulary, without the one that ends a response.
WORDS = 16


@dataclass(frozen=True)
class Counts:
    """The task for responses of one length.

    Attributes
    ----------
    length : int
        Largest number T of tokens in a response.
    stops : bool
        Whether the policy may end a response earlier. If not, the vocabulary of the model lacks the word that ends a
        response, and every response has T tokens.

    Examples
    --------
    Of 16 random words 8 are ones on average, with a standard deviation of 2. So 10 to 13 ones are right:

    >>> Counts(16).start, list(Counts(16).window)
    ((8.0, 2.0), [10, 11, 12, 13])
    >>> Counts(16).reward([[1] * 10 + [0] * 6, [1] * 16])
    [1.0, 0.0]
    """

    length: int
    stops: bool = False

    @property
    def start(self) -> tuple[float, float]:
        """Mean and standard deviation of the count of ones if all words are equally likely."""
        stop = 1 / (WORDS + 1) if self.stops else 0.0
        chances = [stop * (1 - stop) ** k for k in range(self.length)] + [(1 - stop) ** self.length]
        mean = sum(p * n / 2 for n, p in enumerate(chances))
        square = sum(p * (n / 4 + n**2 / 4) for n, p in enumerate(chances))
        return mean, math.sqrt(square - mean**2)

    @property
    def window(self) -> range:
        """The counts that are right: from one to three standard deviations above the mean."""
        mean, deviation = self.start
        low = math.ceil(mean + deviation)
        return range(low, low + max(round(2 * deviation), 1))

    def reward(self, completion_ids: list[list[int]], **others: object) -> list[float]:
        """The reward function for the trainer: 1 if the count of ones is in the window, else 0.

        Parameters
        ----------
        completion_ids : list of list of int
            The tokens of each response.
        **others
            What the trainer passes besides; not used.
        """
        return [
            float(sum(token % 2 for token in ids if token < WORDS) in self.window) for ids in completion_ids
        ]

    def model(self, seed: int) -> Qwen2ForCausalLM:
        """A Qwen2 model with some 3,000 random parameters."""
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
    """A tokenizer whose words are the numbers 0 to 15, and <stop>."""
    words = {str(word): word for word in range(WORDS)} | {"<stop>": WORDS}
    made = Tokenizer(models.WordLevel(words, unk_token="0"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<stop>", pad_token="0", unk_token="0")


def prompts(count: int = 64) -> Dataset:
    """A dataset of prompts of two words each."""
    return Dataset.from_dict({"prompt": [f"{k % WORDS} {3 * k // WORDS % WORDS}" for k in range(count)]})
