"""Publishing: tested marts become the copy that BI reads, swapped in whole."""
