Feature: Sums
  Scenario Outline: add
    Given the number <a>
    When I add <b>
    Then I have <c>

    Examples:
      | a | b | c |
      | 1 | 2 | 3 |
      | 2 | 2 | 5 |
      | 4 | 4 | 8 |
